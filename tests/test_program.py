"""fb.trace: D and L of a NumPy program, and their solves."""

import numpy as np
import pytest

import fastbs as fb

rng = np.random.default_rng(0)
W = [rng.normal(size=(3, 4)), rng.normal(size=(2, 3))]
b = [rng.normal(size=(3, 1)), rng.normal(size=(2, 1))]
X = rng.normal(size=(4, 5))


def network(W, b):
    x = X
    for w, c in zip(W, b, strict=True):
        x = np.tanh(w @ x + c)
    return np.sum(x**2)


def test_value_and_rows():
    system = fb.trace(network, W, b)
    assert system.value == network(W, b)
    assert [name.split()[0] for name in system.names] == [*["matmul", "add", "tanh"] * 2, "power", "sum"]
    assert all("test_program.py:" in name for name in system.names)
    assert system.D.shape == (8, 4)
    assert system.L.shape == (8, 8)
    assert isinstance(system.L, fb.Bidiagonal)
    assert "tanh" in str(system)


def test_solves_agree_with_grad_and_jvp():
    system = fb.trace(network, W, b)
    for found, expected in zip(system.vjp(1.0), fb.grad(network, (0, 1))(W, b), strict=True):
        for g, h in zip(found, expected, strict=True):
            np.testing.assert_allclose(g, h, rtol=1e-13)
    tangents = [rng.normal(size=w.shape) for w in W], [rng.normal(size=c.shape) for c in b]
    np.testing.assert_allclose(system.jvp(*tangents), fb.jvp(network, (W, b), tangents)[1], rtol=1e-13)


def test_the_derivative_is_the_backslash():
    system = fb.trace(lambda x: np.cumsum(np.sin(x) * x), rng.normal(size=3))
    J = fb.backslash(fb.Identity() - system.L, system.D)
    columns = [(J @ [e])[-1] for e in np.eye(3)]
    np.testing.assert_allclose(np.transpose(columns), system.jacobian()[0], rtol=1e-13)


def test_cutting_an_edge_is_editing_a_block():
    x = np.array([0.3, 0.5])
    system = fb.trace(lambda x: np.sin(x) * np.cos(x), x)
    blocks = {at: block for at, block in system.L.items() if "sin" not in system.names[at[1]]}
    system.L = fb.BlockMatrix.from_blocks(system.L.shape, blocks)
    np.testing.assert_allclose(system.vjp(np.ones(2))[0], -np.sin(x) * np.sin(x), rtol=1e-14)


def test_freezing_a_parameter_is_editing_a_block():
    system = fb.trace(lambda x, y: x * y, np.ones(2), np.full(2, 3.0))
    system.D = fb.BlockMatrix([[system.D[0, 0], None]])
    dx, dy = system.vjp(np.ones(2))
    np.testing.assert_array_equal(dx, [3.0, 3.0])
    np.testing.assert_array_equal(dy, [0.0, 0.0])


def test_outputs_that_are_parameters_or_constants():
    system = fb.trace(lambda x: {"same": x, "twice": 2 * x, "none": np.ones(3)}, np.ones(2))
    assert system.outputs.count(None) == 1
    g = {"same": np.full(2, 5.0), "twice": np.ones(2), "none": np.ones(3)}
    np.testing.assert_array_equal(system.vjp(g)[0], [7.0, 7.0])
    found = system.jvp(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found["same"], [1.0, 2.0])
    np.testing.assert_array_equal(found["twice"], [2.0, 4.0])
    np.testing.assert_array_equal(found["none"], [0.0, 0.0, 0.0])


def test_an_argument_used_twice_is_one_block():
    system = fb.trace(lambda x: x * x, np.array([3.0]))
    np.testing.assert_array_equal(system.vjp(np.ones(1))[0], [6.0])
    assert len(list(system.D.items())) == 1


def test_leaves_are_copied():
    x = np.array([1.0, 2.0])
    system = fb.trace(np.square, x)
    x[:] = 0
    np.testing.assert_array_equal(system.vjp(np.ones(2))[0], [2.0, 4.0])


def test_plan_of_a_bottleneck():
    A, B = rng.normal(size=(2, 50)), rng.normal(size=(50, 2))
    system = fb.trace(lambda x: np.tanh(B @ np.tanh(A @ x)), rng.normal(size=50))
    plan = system.plan_jacobian()
    assert plan["flops"] < min(plan["forward"], plan["reverse"])
    np.testing.assert_allclose(system.jacobian()[0], system.jacobian("forward")[0], rtol=1e-12)


def test_what_does_not_fit_raises():
    system = fb.trace(lambda x: 2 * x, np.ones(2))
    with pytest.raises(fb.ShapeError, match=r"cotangent 0 must be \(2,\).*got \(3,\)"):
        system.vjp(np.ones(3))
    with pytest.raises(fb.DtypeError, match="real floating point"):
        fb.trace(lambda x: 2 * x, np.ones(2, int))


def test_picture_names_the_rows():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    system = fb.trace(network, W, b)
    ax = system.spy()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    lines = [name.rpartition(":")[2] for name in system.names]
    assert labels == [f"{name.split()[0]}, line {line}" for name, line in zip(system.names, lines, strict=True)]
    assert ax.get_title() == ""
    _, given = pyplot.subplots()
    assert fb.trace(lambda x: x, 1.0).spy(given) is given
    assert [label.get_text() for label in given.get_yticklabels()] == ["parameter"]

    def long(x):
        for _ in range(60):
            x = np.sin(x)
        return x

    assert not any("sin" in label.get_text() for label in fb.trace(long, 1.0).spy().get_yticklabels())
    pyplot.close("all")
