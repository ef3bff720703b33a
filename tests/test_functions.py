"""The vectorized elementary functions against NumPy in long double and mpmath, in every instruction set."""

import mpmath
import numpy as np
import pytest

from fastbs._tape import FUNCTIONS, map_function

KERNELS = ["baseline", "few", "many"]
FLOATS = ["float32", "float64"]

# The largest error in units in the last place, as functions.h promises it; the others are libm's.
PROMISED = {
    "exp": 2, "expm1": 2.5, "exp2": 2, "log": 1.5, "log1p": 2, "log2": 2, "log10": 2.5, "tanh": 3, "sigmoid": 3,
    "softplus": 2.5, "relu": 0, "sqrt": 0.5, "erf": 2.5, "erfc": 4, "ndtr": 4, "sin": 3, "cos": 2.5, "sinh": 3,
    "cosh": 2.5, "tan": 4, "arctan": 2,
}  # fmt: skip
LIBM = [name for name in FUNCTIONS if name not in PROMISED]

# Where the function neither overflows nor is constant, float32 and float64: points are dense there.
RANGE = {
    "exp": (105, 746), "expm1": (90, 711), "exp2": (151, 1076), "sinh": (91, 711), "cosh": (91, 711), "tanh": (10, 20),
    "sigmoid": (105, 746), "softplus": (105, 746), "erf": (4.5, 6.5), "erfc": (10.5, 27.6), "ndtr": (14.6, 38.9),
    "sin": (2e4, 2e6), "cos": (2e4, 2e6), "tan": (2e4, 2e6),
}  # fmt: skip

# Where errors were found to be largest, by millions of points.
WORST = {
    "erfc": [3.5699224606429127, 3.6537196877004523, 1.5577083826065063, 3.6555769443511963],
    "ndtr": [-2.4191397529365823, -2.4185807910409927, -2.157792806625366, -2.194892168045044],
    "tanh": [18.19513, 8.144495],
}

every_float = pytest.mark.parametrize("dtype", FLOATS)
every_kernel = pytest.mark.parametrize("kernels", KERNELS)


def special_points(name, dtype):
    """Zeros, infinities, NaN, subnormals, the largest numbers, and both sides of every border."""
    info = np.finfo(dtype)
    borders = [0, 1, 2, 0.5, 22, 1e6, 12000, info.max, info.tiny, info.smallest_subnormal, info.eps, np.inf]
    borders += [88.72284, 89, 103.97208, 104, 127.999, 128, 149, 150, 151]
    borders += [709.78271289338397, 710, 710.4758600739439, 745.13321910194122, 746, 1023.9999, 1024, 1074, 1075, 1076]
    borders += [*np.log(2) * np.arange(1, 40) / 2, *2.0 ** np.arange(-30, 30), *10.0 ** np.arange(-9, 9)]
    borders += [*np.sqrt(0.5) * 2.0 ** np.arange(-3, 4)]
    if name in ("sin", "cos", "tan"):
        borders += [*np.pi / 2 * np.arange(2000)]
    x = np.array(borders + WORST.get(name, []), dtype)
    with np.errstate(over="ignore", under="ignore"):
        x = np.concatenate([x, np.nextafter(x, dtype(np.inf)), np.nextafter(x, dtype(-np.inf)), [dtype(np.nan)]])
    return np.concatenate([x, -x])


def random_points(name, dtype, count):
    rng = np.random.default_rng(0)
    word = {"float32": np.uint32, "float64": np.uint64}[np.dtype(dtype).name]
    any_bits = rng.integers(np.iinfo(word).max, size=count, dtype=word).view(dtype)
    size = RANGE.get(name, (1e3, 1e3))[np.dtype(dtype).itemsize // 8]
    near_0 = rng.choice([-1, 1], size=count) * 10 ** rng.uniform(-12, 0, count)
    near_1 = 1 + rng.choice([-1, 1], size=count) * 10 ** rng.uniform(-8, 0, count)
    dense = [rng.uniform(-size, size, count), rng.uniform(-3, 3, count), near_0, near_1]
    return np.concatenate([any_bits, *(x.astype(dtype) for x in dense)])


def with_mpmath(name, x):
    """erf, erfc and ndtr in 40 digits; long double has the range of their tails."""

    def f(x):
        if name == "erf":
            return mpmath.erf(x)
        if name == "erfc":
            return mpmath.erfc(x)
        return mpmath.erfc(-x / mpmath.sqrt(2)) / 2

    with mpmath.workdps(40):
        return np.array([np.longdouble(mpmath.nstr(f(mpmath.mpf(min(max(v, -99), 99))), 25)) for v in x.tolist()])


def reference(name, x):
    if name in ("erf", "erfc", "ndtr"):
        return with_mpmath(name, x)
    x = x.astype(np.longdouble)
    if name == "sigmoid":
        return 1 / (1 + np.exp(-x))
    if name == "softplus":
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    if name == "relu":
        return np.maximum(x, 0)
    return getattr(np, name)(x)


def errors(found, expected):
    """In units in the last place; infinite where one is NaN or infinite and the other is not."""
    info = np.finfo(found.dtype)
    rounded = expected.astype(found.dtype)
    unit = np.spacing(np.minimum(np.abs(np.nan_to_num(rounded)), info.max / 2))
    error = np.abs(found - expected) / unit
    same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
    return np.where(same & ~np.isfinite(rounded), 0, np.where(np.isfinite(error), error, np.inf))


def assert_accurate(name, x, bound, length=None):
    """The function of all of x, or of pieces of this length, is right up to `bound` units in the last place."""
    length = length or len(x)
    with np.errstate(all="ignore"):
        expected = reference(name, x)
        for kernels in KERNELS:
            pieces = [map_function(name, x[i : i + length], kernels) for i in range(0, len(x), length)]
            found = np.concatenate(pieces)
            error = errors(found, expected)
            at = int(np.argmax(error))
            message = f"{kernels} {name}({x[at]!r}) is {found[at]!r}, not {expected[at]!r}: {error[at]:.3} ulp"
            assert error[at] <= bound, message


@every_float
@pytest.mark.parametrize("name", PROMISED)
def test_errors_are_within_the_promise(name, dtype):
    x = random_points(name, dtype, 400 if name in ("erf", "erfc", "ndtr") else 10_000)
    assert_accurate(name, x, PROMISED[name])


@pytest.mark.slow
@every_float
@pytest.mark.parametrize("name", PROMISED)
def test_errors_are_within_the_promise_at_many_points(name, dtype):
    x = random_points(name, dtype, 5_000 if name in ("erf", "erfc", "ndtr") else 200_000)
    assert_accurate(name, x, PROMISED[name])


@every_float
@pytest.mark.parametrize("name", PROMISED)
def test_special_points(name, dtype):
    assert_accurate(name, special_points(name, np.dtype(dtype).type), PROMISED[name])


@every_float
@pytest.mark.parametrize("name", PROMISED)
def test_one_number_at_a_time(name, dtype):
    x = np.concatenate([random_points(name, dtype, 200), special_points(name, np.dtype(dtype).type)])
    assert_accurate(name, x, PROMISED[name], length=1)


@every_float
@pytest.mark.parametrize("name", LIBM)
def test_the_other_functions_are_those_of_libm(name, dtype):
    x = np.concatenate([special_points(name, np.dtype(dtype).type), random_points(name, dtype, 1000)])
    assert_accurate(name, x, 8)


@every_kernel
@every_float
def test_zeros_keep_their_sign(dtype, kernels):
    for name in ("expm1", "log1p", "tanh", "erf", "sin", "sinh", "sqrt", "tan", "arctan", "arcsinh", "cbrt"):
        assert np.signbit(map_function(name, np.array([-0.0], dtype), kernels)), name
        assert not np.signbit(map_function(name, np.array([0.0], dtype), kernels)), name


@every_kernel
@every_float
def test_logarithms_of_powers_are_whole(dtype, kernels):
    low, high = (-126, 128) if dtype == "float32" else (-1074, 1024)
    k = np.arange(low, high)
    np.testing.assert_array_equal(map_function("log2", np.ldexp(1.0, k).astype(dtype), kernels), k)
    k = np.arange(11 if dtype == "float32" else 23)  # 10^k is exact
    np.testing.assert_array_equal(map_function("log10", (10.0**k).astype(dtype), kernels), k)


@every_kernel
@every_float
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_length_and_alignment(name, dtype, kernels):
    # An element's value depends neither on its place nor on its neighbours, and nothing lies beyond the end.
    x = np.random.default_rng(0).uniform(0.1, 0.9, 80).astype(dtype)
    one_by_one = np.concatenate([map_function(name, x[i : i + 1], kernels) for i in range(len(x))])
    for start in range(3):
        for n in range(40):
            found = map_function(name, x[start : start + n], kernels)
            np.testing.assert_allclose(found, one_by_one[start : start + n], rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("x", "kernels", "match"),
    [
        (np.ones(3, "int64"), "few", "float32 or float64 in C order.*got int64"),
        (np.ones((3, 2)).T, "many", r"unit strides; got float64 with strides \(8, 16\)"),
        (np.ones(3), "neon9", "kernels must be 'baseline', 'few' or 'many'; got 'neon9'"),
    ],
)
def test_the_door_checks_its_arguments(x, kernels, match):
    with pytest.raises((TypeError, ValueError), match=match):
        map_function("exp", x, kernels)
