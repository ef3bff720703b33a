"""Derives the polynomials of src/kernels/functions_dtype.h and writes src/kernels/coefficients.h.

Usage: python tools/coefficients.py > src/kernels/coefficients.h

Each polynomial interpolates its function at Chebyshev nodes, in 60 digits, which is within a small factor of
the minimax polynomial of its degree. The error that it leaves in the whole function goes to stderr.
"""

import sys
from dataclasses import dataclass
from typing import Any

from mpmath import atan, cos, erf, erfc, exp, expm1, log, lu_solve, matrix, mp, mpf, nstr, pi, sin, sqrt

mp.dps = 60
BITS = {"f32": 24, "f64": 53}
CTYPE = {"f32": "float", "f64": "double"}


@dataclass
class Fit:
    """p approximates ``polynomial`` on ``interval``, so that ``whole(p(x), x)`` approximates ``function(x)``."""

    name: str
    formula: str
    function: Any
    polynomial: Any
    whole: Any
    interval: tuple
    degrees: dict


def interpolate(f, low, high, degree):
    """Coefficients, lowest power first, of the polynomial through f at the Chebyshev nodes of [low, high]."""
    n = degree + 1
    nodes = [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    powers = matrix(n, n)
    for i, x in enumerate(nodes):
        for j in range(n):
            powers[i, j] = x**j
    return list(lu_solve(powers, matrix([f(x) for x in nodes])))


def evaluate(coefficients, x):
    total = mpf(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def rounded(x, bits):
    with mp.workprec(bits):
        return +x


def parts(x, bits, count, dtype):
    """x as a sum: products of all terms but the last with small integers are exact."""
    terms = []
    for _ in range(count - 1):
        terms.append(rounded(x, bits))
        x -= terms[-1]
    return [*terms, rounded(x, BITS[dtype])]


def of_root(f):
    """f(sqrt(z)); none of its nodes is at 0, where the formulas cancel."""
    return lambda z: f(sqrt(z))


def erfcx_fit(dtype, largest, shift, degree):
    def x(t):
        return shift * (1 + t) / (1 - t)

    def function(t):
        return (1 + 2 * x(t)) * exp(x(t) ** 2) * erfc(x(t))

    return Fit(
        "erfcx",
        f"erfc(x) = exp(-x^2) (1 + p(t)) / (1 + 2 x), t = (x - {shift}) / (x + {shift}), 0 <= x <= {largest}",
        function,
        lambda t: function(t) - 1,
        lambda p, t: 1 + p,
        (mpf(-1), (mpf(largest) - shift) / (mpf(largest) + shift)),
        {dtype: degree},
    )


half_ln2 = log(2) / 2 * mpf("1.001")  # a little more than the reduction gives, because it rounds
quarter = (pi / 4 * mpf("1.001")) ** 2

FITS = [
    Fit(
        "exp",
        "exp(r) = 1 + r + r^2 p(r), |r| <= log(2) / 2",
        lambda r: expm1(r) / r,
        lambda r: (expm1(r) - r) / r**2 if abs(r) > 1e-20 else mpf(1) / 2,  # the middle node is at 0
        lambda p, r: 1 + r * p,
        (-half_ln2, half_ln2),
        {"f32": 5, "f64": 10},
    ),
    Fit(
        "log",
        "log((1 + s) / (1 - s)) = 2 s + s^3 p(s^2), |s| <= 3 - 2 sqrt(2)",
        of_root(lambda s: log((1 + s) / (1 - s)) / s),
        of_root(lambda s: (log((1 + s) / (1 - s)) - 2 * s) / s**3),
        lambda p, z: 2 + z * p,
        (mpf(0), (3 - 2 * sqrt(2)) ** 2),
        {"f32": 2, "f64": 6},
    ),
    Fit(
        "sin",
        "sin(r) = r + r^3 p(r^2), |r| <= pi / 4",
        of_root(lambda r: sin(r) / r),
        of_root(lambda r: (sin(r) - r) / r**3),
        lambda p, z: 1 + z * p,
        (mpf(0), quarter),
        {"f32": 2, "f64": 5},
    ),
    Fit(
        "cos",
        "cos(r) = 1 - r^2 / 2 + r^4 p(r^2), |r| <= pi / 4",
        of_root(cos),
        of_root(lambda r: (cos(r) - 1 + r**2 / 2) / r**4),
        lambda p, z: 1 - z / 2 + z**2 * p,
        (mpf(0), quarter),
        {"f32": 2, "f64": 5},
    ),
    Fit(
        "erf",
        "erf(x) = x + x p(x^2), |x| <= 1",
        of_root(lambda x: erf(x) / x),
        of_root(lambda x: erf(x) / x - 1),
        lambda p, z: 1 + p,
        (mpf(0), mpf(1)),
        {"f32": 5, "f64": 11},
    ),
    Fit(
        "atan",
        "arctan(t) = t + t^3 p(t^2), |t| <= sqrt(2) - 1",
        of_root(lambda t: atan(t) / t),
        of_root(lambda t: (atan(t) - t) / t**3),
        lambda p, z: 1 + z * p,
        (mpf(0), (mpf("0.41422")) ** 2),
        {"f32": 4, "f64": 11},
    ),
    erfcx_fit("f32", 10.3, 2, 10),
    erfcx_fit("f64", 27.5, 3, 22),
]


def declare(name, dtype, values):
    texts = [nstr(x, 17 if dtype == "f64" else 9) + ("f" if dtype == "f32" else "") for x in values]
    lines = [", ".join(texts[i : i + 4]) for i in range(0, len(texts), 4)]
    print(f"static const {CTYPE[dtype]} {name}_{dtype}[] = {{\n    " + ",\n    ".join(lines) + "\n};")


def main():
    print("/* Written by tools/coefficients.py, which derives them: polynomials, lowest power first. */")
    for fit in FITS:
        print(f"\n/* {fit.formula} */")
        low, high = fit.interval
        points = [low + (high - low) * (i + mpf("0.5")) / 500 for i in range(500)]
        for dtype, degree in fit.degrees.items():
            p = [rounded(c, BITS[dtype]) for c in interpolate(fit.polynomial, low, high, degree)]
            worst = max(abs(fit.whole(evaluate(p, x), x) / fit.function(x) - 1) for x in points)
            print(f"{fit.name} {dtype}: {nstr(worst * 2 ** BITS[dtype], 3)} ulp", file=sys.stderr)
            declare(f"{fit.name}_polynomial", dtype, p)
    print("\n/* Sums of numbers of few bits, so that products of all but the last with small integers are exact. */")
    for name, x, counts in (
        ("ln2", log(2), {"f32": (15, 2), "f64": (41, 2)}),
        ("half_pi", pi / 2, {"f32": (11, 5), "f64": (33, 4)}),
        ("log10_2", log(2) / log(10), {"f32": (15, 2), "f64": (41, 2)}),
    ):
        for dtype, (bits, count) in counts.items():
            declare(f"{name}_parts", dtype, parts(x, bits, count, dtype))


if __name__ == "__main__":
    main()
