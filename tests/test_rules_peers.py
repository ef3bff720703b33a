"""The rule tables against other tools: gradients and second derivatives of every case that a peer can run.

The cases are those of the tests of rules, with `numpy` and SciPy's modules exchanged for the peer's. What a peer
does not know is left out; how many it must know is counted. Peers are optional: without one its tests are skipped.
"""

import warnings

import numpy as np
import pytest

import fastbs
from gradients import leaves, near, normal
from rule_cases import CASES, exchanged

# Cases in which a peer ignores what it is passed, or has a rule that is wrong
LEFT_OUT = {
    "autograd": {
        "sum where", "prod where", "mean where", "var where", "std where", "std correction", "full_like",
        "tile fewer axes", "kron mixed", "norm vector inf", "solve_triangular lower",
    },
    "jax": set(),
}  # fmt: skip

# They read one triangle and put the derivative there; peers read both and share it.
ONE_TRIANGLE = ("chol", "eig", "cho_", "pinv hermitian", "solve pos", "solve sym")


class Autograd:
    name = "autograd"

    def __init__(self):
        pytest.importorskip("autograd")
        import autograd.numpy
        import autograd.scipy.linalg
        import autograd.scipy.special

        self.grad = autograd.grad
        self.np, self.linalg, self.special = autograd.numpy, autograd.scipy.linalg, autograd.scipy.special


class Jax:
    name = "jax"

    def __init__(self):
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
        import jax.numpy
        import jax.scipy.linalg
        import jax.scipy.special

        self.grad = jax.grad
        self.np, self.linalg, self.special = jax.numpy, jax.scipy.linalg, jax.scipy.special


def gradients(f, arrays, g, v, tool, second):
    """The gradient of <g, f> and, of its product with v, the gradient once more."""
    argnums = tuple(range(len(arrays)))

    def product(a, b):
        return sum(tool.np.sum(x * y) for x, y in zip(leaves(a), leaves(b), strict=True))

    first = tool.grad(lambda *x: product(g, f(*x)), argnums)
    result = list(first(*arrays))
    if second:
        result += tool.grad(lambda *x: product(v, first(*x)), argnums)(*arrays)
    return result


class Ours:
    grad, np = staticmethod(fastbs.grad), np


def shared(G):
    """The derivative as both triangles share it."""
    return G + G.mT if np.ndim(G) > 1 and G.shape[-1] == G.shape[-2] else G


def compare(peer, names, second):
    """How many cases the peer could run; all of them agree."""
    count = 0
    for name in names:
        f, arrays = CASES[name]
        theirs = exchanged(f, peer)
        if theirs is None or name in LEFT_OUT[peer.name]:
            continue
        rng = np.random.default_rng(0)
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            value = f(*arrays)
            g, v = normal(rng, value), normal(rng, tuple(arrays))
            try:
                expected = gradients(theirs, arrays, g, v, peer, second)
                # another value is another function: signs of vectors, other defaults
                same = all(
                    np.allclose(x, y, 1e-9, 1e-12) for x, y in zip(leaves(theirs(*arrays)), leaves(value), strict=True)
                )
            except Exception:
                continue  # the peer does not know the function or one of its arguments
            if not same:
                continue
            found = gradients(f, arrays, g, v, Ours, second)
        if name.startswith(ONE_TRIANGLE):
            found, expected = ([shared(x) for x in xs] for xs in (found, expected))
        near(found, expected, 1e-9, f"{name}: {peer.name}", 1e-6)
        count += 1
    return count


def test_autograd():
    peer = Autograd()
    assert compare(peer, CASES, second=False) >= 280
    assert compare(peer, CASES, second=True) >= 100


@pytest.mark.slow
@pytest.mark.parametrize("part", [0])  # of 8, because JAX compiles every case for 0.3 s
def test_jax(part):
    peer = Jax()
    assert compare(peer, list(CASES)[part::8], second=False) >= 55
