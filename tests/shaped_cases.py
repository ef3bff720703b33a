"""Cases ``(function, *shapes)`` of rules, each tested as f(x^2, ...), which has second derivatives."""

import numpy as np

from fastbs._trace import functions, record
from fastbs.derivatives import jvp, vjp
from gradients import check


def values(shapes):
    rng = np.random.default_rng(1)
    return [rng.uniform(0.5, 1.5, shape) for shape in shapes]


def of_squares(f):
    """f(x^2, ...), whose second derivatives are not zero."""
    return lambda *x: f(*[a * a for a in x])


def check_case(case, **options):
    """A case in all laws of derivatives."""
    f, *shapes = case
    check(of_squares(f), *values(shapes), **options)


def uncalled(module, cases):
    """The entries of `functions` from this module that no case calls."""
    original, called = dict(functions), set()

    def counting(key, recorder):
        def count(*arguments, **keywords):
            called.add(key)
            return record(key, arguments, keywords) if recorder is True else recorder(*arguments, **keywords)

        return count

    mine = {
        key
        for key, recorder in original.items()
        if key not in ("get step", "put step")  # what the recording itself names
        and getattr(key if recorder is True else recorder, "__module__", None) == module
    }
    try:
        functions.update({key: counting(key, original[key]) for key in mine})
        for case in cases.values():
            run(case)
    finally:
        functions.update(original)
    return mine - called


def run(case):
    """A case with second derivatives, in which the rules are traced."""
    f, *shapes = case
    x = values(shapes)
    jvp(lambda *x: vjp(of_squares(f), *x)[1](of_squares(f)(*x)), x, x)
