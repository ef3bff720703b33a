"""Whether a function draws random numbers: it then changes a generator that it can reach."""

import functools
import itertools
import pickle
import random
import sys
import types

import numpy as np

__all__ = ["Draws"]

MOST_OBJECTS = 1000  # of a function that are looked at
LIBRARIES = ("fastbs", "numpy", "scipy")
MAKERS = {"default_rng", "Generator", "RandomState", "Random", "SystemRandom", "randbits", "randbelow", "urandom"}


class Draws:
    """The generators that a function names, and the global ones.

    Parameters
    ----------
    f : callable
        Its closure, globals, defaults and what it wraps are searched, and functions among them too.

    Attributes
    ----------
    may_make : bool
        Whether some function names what makes generators: one without a seed leaves no other trace.
    """

    def __init__(self, f):
        module = sys.modules.get("numpy.random")
        shared = [random.random.__self__, *([module.rand.__self__] if module else [])]
        generators, self.may_make = generators_of(f)
        self.generators = [*shared, *generators]
        self.shared = len(shared)
        self.states = self.current()

    def current(self):
        return [state_of(generator) for generator in self.generators]

    def seen(self):
        """Which of them changed since the last look: "own" ones, "shared" ones, of other threads too, or None."""
        last, self.states = self.states, self.current()
        if last[self.shared :] != self.states[self.shared :]:
            return "own"
        return "shared" if last != self.states else None


def state_of(generator):
    """Something that equals itself until the generator is used."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    if hasattr(generator, "bit_generator"):
        return pickle.dumps(generator.bit_generator.state)
    return pickle.dumps(generator.get_state(legacy=False))


def is_generator(value):
    if isinstance(value, random.Random):
        return type(value).getstate is random.Random.getstate  # others have no state
    module = sys.modules.get("numpy.random")
    return module is not None and isinstance(value, (module.Generator, module.RandomState))


def generators_of(f):
    """The generators that a function can reach, and whether it may make others."""
    found, seen, waiting, may_make = [], set(), [f], False
    while waiting and len(seen) < MOST_OBJECTS:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if is_generator(value):
            found.append(value)
        else:
            waiting.extend(named_by(value))
            may_make |= isinstance(value, types.FunctionType) and not MAKERS.isdisjoint(names_in(value.__code__))
    return found, may_make


def named_by(value):
    """What a function or an object names."""
    if isinstance(value, (type, types.ModuleType, np.ufunc)):
        return []
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, types.MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, (list, tuple)):
        return value[:MOST_OBJECTS]
    if isinstance(value, dict):
        return itertools.islice(value.values(), MOST_OBJECTS)
    if isinstance(value, types.FunctionType):
        named = [cell.cell_contents for cell in value.__closure__ or () if cell != types.CellType()]
        if not value.__module__ or value.__module__.partition(".")[0] not in LIBRARIES:
            named += [value.__globals__[name] for name in names_in(value.__code__) if name in value.__globals__]
        return [*named, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values(), *vars(value).values()]
    if isinstance(value, np.ndarray) or type(value).__module__.partition(".")[0] in LIBRARIES[1:]:
        return []
    return [*getattr(value, "__dict__", {}).values()]


def names_in(code):
    """The names of a function's code and of the functions inside."""
    names = [*code.co_names]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names += names_in(constant)
    return names
