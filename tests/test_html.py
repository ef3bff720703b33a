"""Block matrices as HTML tables."""

from html.parser import HTMLParser

import numpy as np
import pytest

import fastbs as fb
from pictures import network, square


class Balanced(HTMLParser):
    """Rows of cell texts of a table; every tag closes the one that was opened last."""

    def __init__(self, html):
        super().__init__()
        self.open, self.rows, self.titles, self.caption = [], [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        attributes = dict(attributes)
        assert set(attributes) <= {"style", "title"}
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")
        if "title" in attributes:
            self.titles.append(attributes["title"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open:
            self.rows[-1][-1] += {"sub": "_", "sup": "^"}.get(self.open[-1], "") + data
        else:
            assert self.open == ["table", "caption"]
            self.caption += data


def test_html_of_a_network():
    _, I_L = network(3)
    table = Balanced(I_L._repr_html_())
    assert table.caption == "bidiagonal, 3×3 blocks, 5 nonzero, float64"
    assert table.rows == [["I", "·", "·"], ["−M_1H B_1L", "I", "·"], ["·", "−M_2H B_2L", "I"]]
    assert table.titles[1].startswith("[1, 0]: <Sum −Mₕ Bₗ: ")
    assert Balanced(I_L.H._repr_html_()).rows[0][1] == "−B^T_1L M_1H"


def test_html_is_escaped():
    text = '<b onclick="x">&\''
    A = fb.BlockMatrix([[fb.Operator(np.copy, np.copy, symbol=text)]])
    table = Balanced(A._repr_html_())
    assert table.rows == [[text]]
    assert text in table.titles[0]
    assert table.caption == "block matrix, 1×1 blocks, 1 nonzero"


def test_html_indices():
    ops = {(11, 2): fb.Left(square()), (11, 10): fb.Left(square()).H, (1, 0): fb.Right(np.eye(2)).inv.H}
    table = Balanced(fb.BlockMatrix.from_blocks((12, 12), ops)._repr_html_())
    assert table.rows[11][2] == "B_11,2L"
    assert table.rows[1][0] == "A^−T_R"
    wanted = fb.BlockMatrix([[[fb.Left(square()) for _ in range(6)]]])
    assert Balanced(wanted._repr_html_()).rows == [["[B_0L, B′_0L, B″_0L, B‴_0L, B^(4)_0L, B^(5)_0L]"]]


def test_html_leaves_out_what_text_leaves_out():
    A = fb.Bidiagonal([1] * 1000, [2] * 999)
    table = Balanced(A._repr_html_())
    assert table.rows == [line[1:-1].split() for line in str(A).splitlines()]
    assert len(table.titles) == 18


@pytest.mark.parametrize("shape", [(0, 0), (0, 3)])
def test_html_empty(shape):
    table = Balanced(fb.BlockMatrix.from_blocks(shape, {})._repr_html_())
    assert table.rows == []
    assert f"{shape[0]}×{shape[1]} blocks, 0 nonzero" in table.caption
