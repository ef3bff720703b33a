"""fb.scan: the loop it is, and the one step it is in a compiled program."""

import itertools
import re

import numpy as np
import pytest

import fastbs as fb
from compiled_programs import WITHOUT, agree

rng = np.random.default_rng(7)
A = rng.normal(size=(3, 3)) / 2
XS = rng.normal(size=(6, 3))
S = rng.normal(size=3)


def test_scan_is_the_loop():
    xs = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([0.5, 0.25, 0.125])}

    def step(state, x):
        new = np.sin(state) * x["a"] + x["b"]
        return new, new**2

    def looped(s, xs):
        total = 0.0
        for a, b in zip(xs["a"], xs["b"], strict=True):
            s = np.sin(s) * a + b
            total = total + s**2
        return s + total

    def scanned(s, xs):
        s, ys = fb.scan(step, s, xs)
        return s + np.sum(ys)

    assert scanned(0.3, xs) == pytest.approx(looped(0.3, xs), rel=1e-14)
    found, expected = fb.grad(scanned, (0, 1))(0.3, xs), fb.grad(looped, (0, 1))(0.3, xs)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-13)
    for name in xs:
        np.testing.assert_allclose(found[1][name], expected[1][name], rtol=1e-13)


def test_scan_refuses_arrays_of_different_lengths():
    with pytest.raises(ValueError, match=r"one length .*got \{2, 3\}"):
        fb.scan(lambda s, x: (s, s), 0.0, (np.ones(2), np.ones(3)))


def test_scan_counts_its_steps():
    assert fb.scan(lambda s, x: (2 * s, x), 1.0, length=5) == (32.0, None)
    with pytest.raises(ValueError, match=r"one length .*got none"):
        fb.scan(lambda s, x: (s, s), 0.0)
    with pytest.raises(ValueError, match=r"one length .*got \{2, 3\}"):
        fb.scan(lambda s, x: (s, s), 0.0, np.ones(2), length=3)


# Programs of a start, rows and a free matrix


def last_state(step):
    return lambda s, xs, w: np.sum(fb.scan(lambda s, x: step(s, x, w), s, xs)[0] ** 2)


def all_results(step):
    def loss(s, xs, w):
        s, ys = fb.scan(lambda s, x: step(s, x, w), s, xs)
        return np.sum(s) + np.sum(ys**3)

    return loss


def recurrent(s, x, w):
    s = np.tanh(w @ s + x)
    return s, s


def elementwise(s, x, w):
    s = np.where(s > x, s * np.cos(x), np.sqrt(1 + s**2)) * w[0]
    return s, s * x


def rows_only(s, x, w):
    return s, w @ np.sin(x)


def in_place(s, x, w):
    s = s + w[0]
    s[1] = s[0] * x[2]
    s[0] += np.sum(w)
    s /= 3
    return s, s[::-1]


def swapped(s, x, w):
    a, b = s[:1], s[1:]
    return np.concatenate([b * x[:2], np.sin(a)]), np.stack([a[0], b[1]])


def solved(s, x, w):
    s = np.linalg.solve(w.T @ w + 2 * np.eye(3), s + x)
    return s, np.sum(s)


def nested(s, x, w):
    def inner(t, z):
        t = np.sin(t) * z + x
        return t, np.sum(t * s)

    t, ys = fb.scan(inner, s, w)
    return t, ys


def differentiated(s, x, w):
    return fb.grad(lambda s: np.sum(np.sin(w @ s) * x))(s), s


def integers(s, x, w):
    i = np.argmax(s * x)
    return np.cos(s) * x, np.where(np.arange(3) == i, s, w[1])


BODIES = [
    recurrent, elementwise, rows_only, in_place, swapped, solved, nested, differentiated, integers,
]  # fmt: skip
DERIVATIVES = {
    "value": lambda f: f,
    "gradient": lambda f: fb.value_and_grad(f, (0, 1, 2)),
    "gradient of a part": lambda f: fb.grad(f, 2),
    "tangent": lambda f: lambda s, xs, w: fb.jvp(f, (s, xs, w), (xs[0], np.cos(xs), w.T)),
    "second": lambda f: lambda s, xs, w: fb.hvp(lambda w: f(s, xs, w))(w, w.T),
    "hessian": lambda f: fb.hessian(f),
    "gradient of a gradient": lambda f: fb.grad(lambda s, xs, w: np.sum(fb.grad(f)(s, xs, w) ** 2), (0, 1)),
}


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("body", BODIES)
def test_compiled_loops(body, derivative):
    for f in (last_state, all_results)[derivative.startswith("grad") :]:
        agree(DERIVATIVES[derivative](f(body)), S, XS, A)


@pytest.mark.parametrize("order", ["forward", "reverse", "auto"])
def test_jacobians_of_loops(order):
    f = lambda s, xs: fb.scan(lambda s, x: recurrent(s, x, A), s, xs)  # noqa: E731
    agree(fb.jacobian(f, (0, 1), order=order), S, XS)


def loops_in(compiled):
    """The lengths of the loops of a plan that always run, and its number of calls into Python."""
    lines = re.sub(r"\n( *)if not the flag(\n\1 .*)*", "", compiled.report()).splitlines()
    return [int(line.split()[1]) for line in lines if line.strip().startswith(("loop, ", "recurrence, "))], int(
        lines[3].split()[0]
    )


def test_a_loop_is_one_step_and_its_gradient_another():
    for body in (recurrent, elementwise, in_place, swapped, differentiated):
        lengths, calls = loops_in(agree(fb.grad(all_results(body), (0, 1, 2)), S, XS, A))
        assert (lengths, calls) == ([6, 6], 0)
    assert loops_in(agree(last_state(nested), S, XS, A)) == ([6, 3], 0)


@pytest.mark.parametrize("without", WITHOUT)
def test_passes_can_be_left_out(without):
    for body in (recurrent, in_place, nested):
        agree(fb.grad(all_results(body), (0, 1, 2)), S, XS, A, passes=WITHOUT[without])


@pytest.mark.parametrize("length", [0, 1, 2, 3, 40])
def test_lengths(length):
    xs = rng.normal(size=(length, 3))

    def f(s, xs):
        s, ys = fb.scan(lambda s, x: recurrent(s, x, A), s, xs)
        return np.sum(s) + (0 if ys is None else np.sum(ys))

    agree(fb.value_and_grad(f, (0, 1)), S, xs)


def test_nested_containers():
    def step(state, x):
        p, (q, i) = state["p"], state["rest"]
        new = {"p": np.cos(q) * x["a"], "rest": (p @ p + q, i + 1.0)}
        return new, {"double": [2 * p], "none": None, "sum": p + x["b"][0] * i}

    def f(p, q, xs):
        state, ys = fb.scan(step, {"p": p, "rest": (q, np.float64(0))}, xs)
        return state, ys

    xs = {"a": XS, "b": (rng.normal(size=6), None)}
    agree(f, S, 0.5, xs)
    agree(
        fb.grad(lambda *x: np.sum(f(*x)[1]["sum"] ** 2) + f(*x)[0]["rest"][0], (0, 1, 2)),
        S,
        0.5,
        {"a": XS, "b": (XS[:, 0],)},
    )


def test_without_rows():
    def f(s, w):
        return np.sum(fb.scan(lambda s, _: (np.sin(w * s), None), s, length=20)[0])

    agree(fb.value_and_grad(f, (0, 1)), S, S + 1)
    assert loops_in(fb_called(fb.grad(f, (0, 1)), S, S + 1))[0] == [20, 20]


def fb_called(f, *arguments):
    compiled = fb.compile(f)
    compiled(*arguments)
    return compiled


def test_states_whose_kind_settles():
    xs = XS.astype(np.float32)
    for start in (0.0, np.float32(1)):
        f = lambda xs, start=start: fb.scan(lambda s, x: (s + np.sum(x), s * x), start, xs)  # noqa: E731
        agree(f, xs)
        agree(fb.grad(lambda xs, f=f: f(xs)[0] + np.sum(f(xs)[1])), xs)
    grow = lambda x: fb.scan(lambda s, x: (np.append(s, x[0]), np.sum(s)), np.zeros(1), x)  # noqa: E731
    agree(grow, XS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(dtype):
    given = [x.astype(dtype) for x in (S, XS, A)]
    for body in (recurrent, elementwise, in_place, swapped):
        agree(fb.value_and_grad(all_results(body), (0, 1, 2)), *given)


def test_rows_of_strided_arrays():
    def f(xs, w):
        return fb.scan(lambda s, x: recurrent(s, x, w), np.ones(3), np.flip(xs.T[:, ::-1], 0))

    agree(f, rng.normal(size=(3, 6)), A)
    agree(fb.grad(lambda xs, w: np.sum(f(xs, w)[1]), (0, 1)), rng.normal(size=(3, 6)), A)


def test_a_step_must_do_the_same_each_time():
    def f(x, ws):
        weights = iter(ws)
        return fb.scan(lambda s, _: (np.sin(s * next(weights)), s), x, length=5)

    def counted(x):
        count = itertools.count()
        return fb.scan(lambda s, _: (s * next(count) + 1, s), x, length=5)

    for g, *given in ((f, S, [*rng.normal(size=5)]), (f, S, [*rng.normal(size=(5, 3))]), (counted, S)):
        with pytest.raises(fb.TraceError, match=r"scan: step must do the same each time .*two different programs"):
            fb.compile(g)(*given)


def test_what_a_step_computes_of_free_values_is_computed_once():
    f = lambda s, w: fb.scan(lambda s, _: (s * np.exp(w) @ w, np.sum(np.exp(w))), s, length=4)  # noqa: E731
    compiled = agree(f, S, A)
    assert compiled.report().count("exp") == 1


def test_a_loop_back_reads_the_states_that_it_needs():
    passes = WITHOUT["scalars"]
    compiled = agree(fb.grad(all_results(recurrent), (0, 1, 2)), S, XS, A, passes=passes)
    assert compiled.report().count("product 3 x 1 x 3") == 1


def test_outer_products_are_added_in_place():
    w = rng.normal(size=(8, 8)) / 4

    def f(w, v, xs):
        s, ys = fb.scan(lambda s, x: (np.tanh(w @ s + v @ x), s), xs[0], xs)
        return np.sum(s) - np.sum(ys**2)

    compiled = agree(fb.grad(f, (0, 1)), w, w.T.copy(), rng.normal(size=(9, 8)))
    back = compiled.report().split("loop")[-1]
    assert back.count("product 8 x 8 x 1") == 2


def test_states_that_are_only_added_to():
    def step(state, x):
        a, b, c, d, e = state
        b = b + np.sum(a)
        return (a + x, b, c - x * np.sum(b), d + d[::-1], x - e), (a[0], b)

    def f(a, b, c, d, e, xs):
        return fb.scan(step, (a, b, c, d, e), xs)

    agree(f, S, np.float64(0.5), S + 1, S - 1, S, XS)
    agree(lambda *x: f(*x)[0][1:], S, np.float64(0.5), S + 1, S - 1, S, XS)
    agree(lambda *x: f(*x)[0][2], S, np.float64(0.5), S + 1, S - 1, S, XS)


def test_branches_in_loops_are_refused():
    with pytest.raises(fb.TraceError, match=r"branch .*test_scan"):
        fb.compile(lambda s: fb.scan(lambda s, _: (s if s > 0 else -s, None), s, length=4))(1.0)


def test_python_runs_inside_of_loops():
    @fb.rule(operators=lambda y, x: [fb.Hadamard(np.cos(x))])
    def sine(x):
        return np.sin(x)

    def f(s, xs):
        s, ys = fb.scan(lambda s, x: (sine(s + x), s), s, xs)
        return np.sum(s * np.sum(ys))

    compiled = agree(fb.value_and_grad(f, (0, 1)), S, XS)
    assert loops_in(compiled) == ([6, 6], 1)


def test_errors_inside_of_loops_leave_a_plan_that_runs():
    @fb.rule(operators=lambda y, x: [fb.Hadamard(np.ones_like(x))])
    def checked(x):
        if x[0] > 8:
            raise ArithmeticError("too large")
        return x + 1

    compiled = fb.compile(lambda s: fb.scan(lambda s, _: (checked(s), s[0]), s, length=6)[1])
    np.testing.assert_array_equal(compiled(np.zeros(2)), np.arange(6.0))
    with pytest.raises(ArithmeticError, match="too large"):
        compiled(np.full(2, 5.0))
    np.testing.assert_array_equal(compiled(np.zeros(2)), np.arange(6.0))


def test_long_runs_go_on_where_they_stopped(monkeypatch):
    # 2e9 flops: the tape stops inside of the inner loop to look for Ctrl-C
    w = np.linspace(0.5, 1, 300)

    def f(s, w):
        def inner(t, _):
            return np.tanh(t * w) + 0.1, None

        return fb.scan(lambda s, _: (fb.scan(inner, s, length=500)[0], np.sum(s)), s, length=40)

    found, expected = fb.compile(f)(w[::-1].copy(), w), f(w[::-1].copy(), w)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)


def test_compile_time_does_not_depend_on_the_length():
    def count(n):
        plan = fb_called(fb.grad(all_results(recurrent), (0, 1, 2)), S, np.ones((n, 3)), A).plan
        return len(plan.tape)

    assert count(1000) == count(10)


def random_step(seed):
    """A body of random functions of two states, a row and two free values."""
    rng = np.random.default_rng(seed)
    unary = [np.sin, np.cos, np.tanh, np.negative, lambda v: v[::-1], np.abs, np.square, lambda v: np.cumsum(v) / 3]
    binary = [np.add, np.subtract, np.multiply, np.maximum, lambda a, b: np.where(a < b, a, 2 * b), np.arctan2]
    plan = [(rng.random() < 0.5, rng.integers(100), rng.integers(100, size=2)) for _ in range(8)]

    def step(state, x, w):
        values = [state["a"], state["b"] * np.ones(3), x, w[0], w @ x]
        for is_unary, f, (i, j) in plan:
            if is_unary:
                values.append(unary[f % len(unary)](values[i % len(values)]))
            else:
                values.append(binary[f % len(binary)](values[i % len(values)], values[j % len(values)]) / 2)
        return {"a": values[-1], "b": np.sum(values[-2]) / 3}, values[-3] * values[-4]

    return step


def check_random(seed):
    step = random_step(seed)

    def f(a, b, xs, w):
        state, ys = fb.scan(lambda s, x: step(s, x, w), {"a": a, "b": b}, xs)
        return np.sum(state["a"]) + state["b"] + np.sum(ys**2)

    given = S, np.float64(0.3), XS, A
    agree(fb.value_and_grad(f, (0, 1, 2, 3)), *given)
    agree(lambda *x: fb.jvp(f, x, x), *given)
    agree(lambda *x: fb.hvp(lambda w: f(*x[:3], w))(x[3], x[3]), *given)


@pytest.mark.parametrize("seed", range(8))
def test_random_bodies(seed):
    check_random(seed)


@pytest.mark.slow
def test_hundreds_of_random_bodies():
    for seed in range(8, 300):
        check_random(seed)


@pytest.mark.parametrize(
    "derived", [lambda f: f, fb.grad, lambda f: lambda s: fb.hvp(f)(s, s)], ids=["f", "grad", "hvp"]
)
@pytest.mark.parametrize("inner", [False, True])
def test_compiling_does_not_depend_on_the_number_of_steps(derived, inner):
    made = []
    for n in (10, 1000, 20000):
        count, xs = [], rng.normal(size=(n, 3))

        def step(s, x, count=count):
            count.append(x)
            return np.tanh(A @ s + x), s[0]

        def f(s, xs=xs, step=step):
            if inner:
                return np.sum(fb.scan(lambda s, _: (fb.scan(step, s, xs)[0], None), s, length=2)[0])
            last, ys = fb.scan(step, s, xs)
            return np.sum(last) + np.sum(ys)

        compiled = fb.compile(derived(f))
        compiled(S)
        made.append((len(count), compiled.plan.tape.report.instructions))
    assert made[0] == made[1] == made[2]
