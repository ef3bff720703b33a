"""Block matrices in matplotlib, and how long pictures of large ones take."""

import builtins
import re
import time

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

import fastbs as fb
from fastbs.display.plot import COLOURS
from pictures import network, square

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def no_figures():
    yield
    plt.close("all")


def drawn(ax):
    """{kind: positions (i, j)} of the cells of a picture."""

    def position(path):
        j, i = path.vertices[:4].mean(axis=0).round()
        return int(i), int(j)

    return {c.get_label(): sorted(map(position, c.get_paths())) for c in ax.collections}


def written(ax):
    return {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts}


def listed(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


def test_spy_a_network():
    _, I_L = network(3)
    ax = fb.spy(I_L)
    ax.figure.canvas.draw()
    assert drawn(ax) == {"identity": [(0, 0), (1, 1), (2, 2)], "product": [(1, 0), (2, 1)]}
    assert listed(ax) == ["identity", "product"]
    assert written(ax) == {
        (0, 0): "I",
        (1, 0): "−M₁ₕ B₁ₗ",
        (1, 1): "I",
        (2, 1): "−M₂ₕ B₂ₗ",
        (2, 2): "I",
    }
    assert ax.get_xlabel() == "block column"
    assert ax.get_ylabel() == "block row"
    assert ax.get_aspect() == 1
    assert ax.yaxis_inverted()
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 2.5), (2.5, -0.5))
    assert [tick for tick in ax.get_yticks() if 0 <= tick <= 2] == [0, 1, 2]


def test_spy_writes_inside_the_cells():
    D, I_L = network(3)
    for A in (D, I_L, D.H):
        ax = fb.spy(A)
        ax.figure.canvas.draw()
        side = ax.bbox.width / 3
        for text in ax.texts:
            box = text.get_window_extent()
            assert max(box.width, box.height) < 0.95 * side
            assert text.get_fontsize() > 9


def test_spy_kinds():
    B, A, M = fb.Left(square()), fb.Right(square()), fb.Hadamard(square())

    class Mine(fb.Left):
        pass

    ops = {
        "identity": [fb.Identity(), 2 * fb.Identity()],
        "left": [B, -B, B / 3, Mine(square())],
        "right": [A],
        "Hadamard": [M, -2 * M],
        "Kronecker": [fb.Kronecker(square(), square())],
        "inner": [fb.Inner(square()), fb.Inner(square()).H],
        "product": [M @ B, -(M @ B), fb.backslash(fb.Diagonal([1]), fb.Diagonal([1]))],
        "sum": [M + B, -(M - B)],
        "row": [[B, A], fb.Diagonal([[B, A]]).H[0, 0]],
        "block matrix": [fb.Diagonal([B])],
        "other": [fb.Operator(np.copy, np.copy), fb.Zero()],
    }
    assert list(ops) == list(COLOURS)
    ax = fb.spy(fb.BlockMatrix([row + [None] * (4 - len(row)) for row in ops.values()]))
    assert drawn(ax) == {name: [(i, j) for j in range(len(row))] for i, (name, row) in enumerate(ops.items())}
    assert listed(ax) == list(ops)
    assert [to_hex(c.get_facecolor()[0]) for c in ax.collections] == list(COLOURS.values())
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_spy_breaks_long_symbols():
    D, _ = network(2)
    assert written(fb.spy(D))[1, 1] == "[M₁ₕ A₁ᵣ,\nM₁ₕ A′₁ᵣ]"
    assert written(fb.spy(network(3)[1]))[1, 0] == "−M₁ₕ B₁ₗ"
    assert written(fb.spy(network(12)[1]))[1, 0] == "−M₁ₕ\nB₁ₗ"


def test_spy_reads_no_mathematics_in_symbols(recwarn):
    A = fb.BlockMatrix([[fb.Operator(np.copy, np.copy, symbol=r"$\frac$_{")]])
    ax = fb.spy(A)
    ax.figure.canvas.draw()
    assert written(ax) == {(0, 0): r"$\frac$_{"}
    assert not recwarn


def test_spy_in_given_axes():
    figure, axes = plt.subplots(1, 2, layout="constrained")
    assert fb.spy(network(2)[0], axes[0]) is axes[0]
    assert fb.spy(network(2)[1], ax=axes[1], legend=False, text=False) is axes[1]
    assert axes[1].get_legend() is None
    assert not axes[1].texts
    assert plt.get_fignums() == [figure.number]


def test_spy_writes_what_can_be_read():
    A = network(45)[1]
    assert not fb.spy(A).texts
    assert len(fb.spy(A, text=True).texts) == 89
    assert not fb.spy(network(50)[1], text=True).texts


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 0)])
def test_spy_empty(shape):
    ax = fb.spy(fb.BlockMatrix.from_blocks(shape, {}))
    ax.figure.canvas.draw()
    assert [t.get_text() for t in ax.texts] == [f"{shape[0]}×{shape[1]}"]
    assert not ax.collections
    assert ax.get_legend() is None


def test_spy_one_block_has_one_tick():
    ax = fb.spy(fb.Diagonal([fb.Left(square())]))
    assert [tick for tick in ax.get_yticks() if abs(tick) <= 0.5] == [0]


def test_spy_keeps_small_cells_in_sight():
    ax = fb.spy(fb.Bidiagonal([1] * 5000, [2] * 4999), legend=False)
    ax.figure.canvas.draw()
    image = np.asarray(ax.figure.canvas.buffer_rgba())[..., :3]
    grey = np.all(np.abs(image.astype(int) - 0xC0) < 0x20, axis=-1)
    assert np.count_nonzero(grey.any(axis=1)) > 0.9 * ax.bbox.height


def test_spy_takes_block_matrices_only():
    for A, name in ((fb.Left(square()), "Left"), (np.eye(2), "ndarray"), (None, "NoneType")):
        with pytest.raises(TypeError, match=f"spy: A must be a block matrix .*; got {name}$"):
            fb.spy(A)


def test_spy_says_what_is_missing(monkeypatch):
    genuine = builtins.__import__

    def without_matplotlib(name, *args, **keywords):
        if name.split(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return genuine(name, *args, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=re.escape('No module named \'matplotlib\'", run pip install "fastbs[plot]"')):
        fb.spy(fb.Diagonal([1]))


# Large


def test_large_matrices_are_quick():  # in CPU seconds, which other processes do not take
    A = fb.Bidiagonal([1] * 10_000, [-(fb.Hadamard(square()) @ fb.Left(square())) for _ in range(9_999)])
    for draw, seconds in ((str, 3), (lambda A: A._repr_html_(), 3), (fb.spy, 6), (repr, 3)):
        start = time.process_time()
        draw(A)
        assert time.process_time() - start < seconds
    ax = fb.spy(A)
    assert [type(c) for c in ax.collections] == [PolyCollection] * 2
    assert not ax.patches
    start = time.process_time()
    ax.figure.canvas.draw()
    assert time.process_time() - start < 6
