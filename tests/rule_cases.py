"""All cases of the tests of rules in one table: what is true of every rule is tested over it."""

import types

import numpy as np
import scipy.special

import test_rules_assignment
import test_rules_creation
import test_rules_elementwise
import test_rules_indexing
import test_rules_joining
import test_rules_linalg
import test_rules_polynomials
import test_rules_products
import test_rules_rearranging
import test_rules_reductions
import test_rules_shapes
import test_rules_statistics
import test_scipy_linalg
import test_scipy_special
from shaped_cases import values


def table():
    """name -> function, arrays; of all tests of rules."""
    elementwise, reductions, special = test_rules_elementwise, test_rules_reductions, test_scipy_special
    cases = {f.__name__: (f, (x,)) for f, (x, _) in elementwise.UNARY.items()}
    cases |= {f.__name__: (f, (a, b)) for f, (a, b, _) in elementwise.BINARY.items()}
    cases |= {name: (f, arrays) for name, (f, arrays, _) in elementwise.OTHER.items()}
    shaped = (
        test_rules_shapes, test_rules_joining, test_rules_rearranging, test_rules_creation, test_rules_indexing,
        test_rules_assignment,
    )  # fmt: skip
    for module in shaped:
        for name, (f, *shapes) in module.CASES.items():
            cases[name] = (f, tuple(values(shapes)))
    for module in (test_rules_linalg, test_scipy_linalg):
        cases |= {name: (f, arrays) for name, (f, arrays, *_) in module.CASES.items()}
    for module in (test_rules_polynomials, test_rules_statistics):
        cases |= {name: (f, arrays) for name, (f, *arrays) in module.CASES.items()}
    for name, (f, shapes) in test_rules_products.CASES.items():
        cases[name] = (f, tuple(test_rules_products.arrays(*shapes)))
    cases |= {name: (f, (reductions.A,)) for name, f in reductions.CASES.items()}
    cases |= {name: (f, arrays) for name, (f, *arrays) in reductions.TWO.items()}
    cases |= {f"special.{f.__name__}": (f, arrays) for f, arrays in special.CASES.items()}
    return cases


CASES = table()


def exchanged(f, peer):
    """f with the modules of the peer, None if the peer has no such function."""
    if not isinstance(f, types.FunctionType) or f.__module__.split(".")[0] in ("numpy", "scipy"):
        home = peer.np
        if getattr(scipy.special, f.__name__, None) is f:
            home = peer.special
        elif getattr(np.linalg, f.__name__, None) is f:
            home = peer.np.linalg
        return getattr(home, f.__name__, None)
    if f.__module__.startswith("fastbs.rules.scipy_"):
        return getattr(peer.linalg, f.__name__, None)
    theirs = {"np": peer.np, "fl": peer.linalg, "special": peer.special, "sp": peer.special}
    copy = types.FunctionType(f.__code__, {**f.__globals__, **theirs}, f.__name__, f.__defaults__, f.__closure__)
    copy.__kwdefaults__ = f.__kwdefaults__
    return copy
