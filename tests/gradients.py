"""The laws of a derivative rule, checked at a point: `check(f, *arrays)` for any function with rules."""

import numpy as np
import optree

from fastbs.derivatives import grad, jacobian, jvp, vjp

STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))  # f'(0) to fourth order, in units of the step


def leaves(tree):
    return optree.tree_leaves(tree)


def inner(a, b):
    """<a, b> over all arrays of two nests; works on traced values."""
    total = 0.0
    for x, y in zip(leaves(a), leaves(b), strict=True):
        total = total + np.sum(x * y)
    return total


def norm(tree):
    return float(np.sqrt(sum(float(np.sum(np.abs(np.asarray(x, float)) ** 2)) for x in leaves(tree))))


def near(found, expected, tolerance, law, scale=0.0):
    """All arrays agree in shape, and in value to `tolerance` relative to their own norm or `scale`."""
    found, expected = leaves(found), leaves(expected)
    assert len(found) == len(expected), law
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b), f"{law}: shape {np.shape(a)}, expected {np.shape(b)}"
    size = max(norm(found), norm(expected), scale)
    error = norm([np.asarray(a, float) - np.asarray(b, float) for a, b in zip(found, expected, strict=True)])
    assert error <= tolerance * size or error == 0, f"{law}: off by {error:.2e} of {size:.2e}\n{found}\n{expected}"


def normal(rng, like):
    """Random directions of the same nest and shapes, in the dtype of floats; zeros for integers."""

    def direction(x):
        kind = np.result_type(x)
        return np.asarray(rng.normal(size=np.shape(x)), kind) if kind.kind == "f" else np.zeros(np.shape(x))

    return optree.tree_map(direction, like)


def along(f, arrays, directions, step=1e-3):
    """The derivative of f at `arrays` along `directions` by differences of fourth order."""
    total = None
    for k, weight in STENCIL:
        value = f(*(x + k * step * v for x, v in zip(arrays, directions, strict=True)))
        term = [weight / step * np.asarray(y, float) for y in leaves(value)]
        total = term if total is None else [a + b for a, b in zip(total, term, strict=True)]
    return total


def check(
    f, *arrays, complex_step=False, second=True, float32=True, jacobians=True, exact=True, step=1e-3,
    tolerance=1e-6, float32_tolerance=2e-3, seed=0,
):  # fmt: skip
    """Check every law of derivatives of f at float64 arrays.

    The value and its dtype are those of the plain call; ``<g, J v> = <J^H g, v>``, all arguments together and each
    alone; J v is the derivative by differences (or complex step); the Jacobian is the same in forward and reverse;
    second derivatives agree in all nestings with differences of the gradient, also with arguments traced at
    different levels; float32 stays float32.

    Parameters
    ----------
    f : callable of as many arrays, returning an array or a nest of them
        Smooth within a few `step` of the arrays.
    arrays : float64 arrays or numbers
    complex_step : bool
        f takes complex arrays: its derivative is known to rounding.
    second : bool
        Check second derivatives.
    float32, jacobians : bool
        Check these.
    exact : bool
        The traced value is the plain one to the last bit; otherwise to rounding.
    """
    rng = np.random.default_rng(seed)
    arrays = tuple(np.asarray(x, float) if np.ndim(x) else np.float64(x) for x in arrays)
    n = len(arrays)
    with np.errstate(all="ignore"):
        plain = f(*arrays)
        v, g = normal(rng, arrays), normal(rng, plain)
        value, Jv = jvp(f, arrays, v)
        same_value(value, plain, exact)
        value, pullback = vjp(f, *arrays)
        same_value(value, plain, exact)
        for y, dy in zip(leaves(plain), leaves(Jv), strict=True):
            assert np.shape(dy) == np.shape(y), f"jvp: shape {np.shape(dy)}, expected {np.shape(y)}"
            if np.result_type(y).kind == "f":
                assert dy.dtype == np.result_type(y), f"jvp: dtype {dy.dtype}, expected {np.result_type(y)}"
        JTg = pullback(g)
        adjoint(g, Jv, JTg, v)
        for i in range(n):
            one, at = alone(f, arrays, i)
            Jv_i = jvp(one, (at,), (v[i],))[1]
            (JTg_i,) = vjp(one, at)[1](g)
            adjoint(g, Jv_i, JTg_i, v[i])
            near(JTg_i, JTg[i], 1e-10, f"vjp of argument {i} alone", 1e-6)

        if complex_step:
            moved = f(*(x + 1e-30j * d for x, d in zip(arrays, v, strict=True)))
            near(Jv, [np.imag(y) / 1e-30 for y in leaves(moved)], 1e-10, "jvp against complex step")
        near(Jv, along(f, arrays, v, step), tolerance, "jvp against differences", 1e-3)

        if jacobians:
            check_jacobians(f, arrays, v, Jv)
        if second and n:
            check_second(f, arrays, v, normal(rng, arrays), g, step, 10 * tolerance)
        if float32:
            check_float32(f, arrays, v, g, float32_tolerance, exact)


def same_value(found, plain, exact=True):
    """Equal in value, shape and dtype; NaN equals NaN."""
    for y, expected in zip(leaves(found), leaves(plain), strict=True):
        assert np.shape(y) == np.shape(expected), f"value: shape {np.shape(y)}, expected {np.shape(expected)}"
        assert np.result_type(y) == np.result_type(expected), f"value: {np.result_type(y)}, expected {expected.dtype}"
        rounding = 0 if exact else 50 * np.finfo(np.result_type(y)).eps
        np.testing.assert_allclose(y, expected, rtol=rounding, atol=rounding)


def adjoint(g, Jv, JTg, v):
    """<g, J v> = <J^H g, v>"""
    left, right = inner(g, Jv), inner(JTg, v)
    scale = norm(g) * norm(Jv) + norm(JTg) * norm(v)
    assert abs(left - right) <= 1e-10 * scale or left == right, f"<g, J v> = {left}, <J^H g, v> = {right}"
    for x, dx in zip(leaves(v), leaves(JTg), strict=True):
        assert np.shape(x) == np.shape(dx), f"vjp: shape {np.shape(dx)}, expected {np.shape(x)}"


def alone(f, arrays, i):
    """f as a function of argument i."""
    return lambda x: f(*arrays[:i], x, *arrays[i + 1 :]), arrays[i]


def check_jacobians(f, arrays, v, Jv):
    """The same in both orders, and its product with v is J v."""
    argnums = tuple(range(len(arrays)))
    with_order = [leaves(jacobian(f, argnums, order=order)(*arrays)) for order in ("forward", "reverse")]
    near(*with_order, 1e-10, "jacobian forward and reverse", 1e-8)
    entries = iter(with_order[0])
    for dy in leaves(Jv):
        total = sum(np.tensordot(next(entries), x, np.ndim(x)) for x in v)
        near(total, dy, 1e-9, "jacobian times v", 1e-8)


def check_second(f, arrays, v, u, g, step, tolerance):
    """Second derivatives of <g, f> along v, in all nestings and level mixtures."""
    n = len(arrays)
    argnums = tuple(range(n))

    def scalar(*x):
        return inner(g, f(*x))

    gradient = grad(scalar, argnums)
    expected = along(gradient, arrays, v, step)
    scale = max(norm(gradient(*arrays)), 1e-3)
    near(jvp(gradient, arrays, v)[1], expected, tolerance, "jvp of grad", scale)
    near(
        grad(lambda *x: inner(g, jvp(f, x, v)[1]), argnums)(*arrays), expected, tolerance, "grad of jvp", scale,
    )  # fmt: skip
    near(grad(lambda *x: inner(v, gradient(*x)), argnums)(*arrays), expected, tolerance, "grad of grad", scale)
    uHv = inner(u, jvp(gradient, arrays, v)[1])
    twice = jvp(lambda *x: jvp(scalar, x, u)[1], arrays, v)[1]
    near(twice, uHv, 1e-9, "jvp of jvp", scale)
    if n < 2:
        return
    # argument i of the outer trace, argument j of the inner one
    for i in range(n):
        j = (i + 1) % n

        def outer(x, i=i, j=j):
            inside = alone(scalar, (*arrays[:i], x, *arrays[i + 1 :]), j)
            return grad(inside[0])(inside[1])

        expected = along(outer, (arrays[i],), (v[i],), step)
        near(jvp(outer, (arrays[i],), (v[i],))[1], expected, tolerance, f"jvp of argument {i}, grad of {j}", scale)
        mixed = grad(lambda x, j=j, outer=outer: inner(u[j], outer(x)))(arrays[i])
        left, right = inner(mixed, v[i]), inner(u[j], expected)
        size = tolerance * scale * (norm(u) + norm(v))
        assert abs(left - right) <= size, f"grad of argument {i}, grad of {j}: {left}, {right}"


def check_float32(f, arrays, v, g, tolerance, exact):
    """float32 in, float32 out, and about the same numbers."""
    argnums = tuple(range(len(arrays)))
    small = tuple(x.astype(np.float32) for x in arrays)
    plain = f(*small)
    value, Jv = jvp(f, small, tuple(x.astype(np.float32) for x in v))
    same_value(value, plain, exact)
    value, pullback = vjp(f, *small)
    same_value(value, plain, exact)
    g32 = optree.tree_map(lambda x, y: x.astype(y.dtype) if y.dtype.kind == "f" else x, g, plain)
    for dy, y in zip(leaves(Jv), leaves(plain), strict=True):
        assert dy.dtype == np.result_type(y), f"jvp in float32: {dy.dtype}, expected {np.result_type(y)}"
    JTg = pullback(g32)
    for dx in leaves(JTg):
        assert dx.dtype == np.float32, f"vjp in float32: {dx.dtype}"
    near(Jv, jvp(f, arrays, v)[1], tolerance, "jvp in float32", 1e-2)
    near(JTg, vjp(f, *arrays)[1](g), tolerance, "vjp in float32", 1e-2)
    second = grad(lambda *x: inner(g32, f(*x)), argnums)
    for dx in leaves(jvp(second, small, tuple(x.astype(np.float32) for x in v))[1]):
        assert dx.dtype == np.float32, f"jvp of grad in float32: {dx.dtype}"
