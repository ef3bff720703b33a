"""What README.md shows is what happens."""

import re
from pathlib import Path

import numpy as np
import pytest

import fastbs as fb

README = Path(__file__).resolve().parents[1] / "README.md"

pytestmark = pytest.mark.skipif(not README.exists(), reason="the tests run away from the checkout")


def test_the_ten_lines_run_and_give_the_gradient(capsys):
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(program, names)
    assert "W" in program
    assert len(capsys.readouterr().out.splitlines()) == 3  # I - L, three block rows

    W, b, X, Y = (names[name] for name in "WbXY")
    for i, blocks in enumerate(names["gradient"]):
        for which, G in enumerate(blocks):
            V = np.random.default_rng(i).normal(size=G.shape)
            p = [list(W), list(b)]
            p[which][i] = p[which][i] + 1e-30j * V
            x = X[0]
            for Wi, bi in zip(*p, strict=True):
                x = np.tanh(Wi @ x + bi)
            exact = np.sum((x - Y) ** 2).imag / 2e-30
            assert np.vdot(G, V) == pytest.approx(exact, rel=1e-11)


def test_every_name_in_the_table_is_there():
    names = re.findall(
        r"`(?:fb\.)?([A-Za-z_]+)(?:\([^`]*\))?`", README.read_text(encoding="utf-8").split("## What else")[1]
    )
    known = {"L", "D", "lsqr", "gmres", "svds", "apply_into", "to_dense", "fastbs", "print"}
    assert len(names) > 20
    assert not [name for name in names if name not in known and not hasattr(fb, name)]
