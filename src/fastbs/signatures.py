"""What two calls must have in common to share a plan, and the patterns that the plan compares arguments with."""

import contextlib
import types

import numpy as np
import optree

from ._tape import pattern_kinds
from ._trace import Traced
from .compiler.views import contiguous
from .errors import DtypeError

__all__ = ["KIND", "NAME", "Signature", "built", "c_layout", "flatten", "is_constant", "results_pattern"]

KIND = pattern_kinds
NAME = {kind: name for name, kind in KIND.items()}


class Signature:
    """What two calls must have in common to share a plan.

    Attributes
    ----------
    arguments, keywords : patterns of `fastbs._tape.Plan`
    leaves : list of arrays and numbers that are inputs
    key : hashable
    is_traced : bool
        Whether some leaf is a traced value.
    """

    def __init__(self, arguments, keywords):
        self.leaves, self.is_traced = [], False
        self.arguments = self.pattern(tuple(arguments))
        self.keywords = self.pattern(keywords)
        self.key = (
            hashable(self.arguments), hashable(self.keywords), tuple([leaf_key(leaf) for leaf in self.leaves])
        )  # fmt: skip

    def pattern(self, value):
        kind = type(value)
        if kind is tuple or kind is list:
            return (KIND["tuple" if kind is tuple else "list"], *map(self.pattern, value))
        if kind is dict:
            return (KIND["dict"], tuple(value), *map(self.pattern, value.values()))
        if kind is Traced:
            self.is_traced = True
            return (KIND["static"], None)
        if isinstance(value, np.ma.MaskedArray):
            raise DtypeError(
                "compile: arguments must be plain arrays because masks are not propagated; got a masked array"
            )
        if isinstance(value, np.ndarray):
            if kind is not np.ndarray or value.dtype.hasobject:
                raise DtypeError(
                    f"compile: arguments must be plain arrays of numbers because kernels read them; got "
                    f"{kind.__name__} of {value.dtype}"
                )
            self.leaves.append(value)
            return KIND["array"], len(self.leaves) - 1
        if isinstance(value, (float, complex, np.inexact)):
            if np.dtype(kind).char not in "fdFD":
                raise DtypeError(
                    f"compile: numbers must be at most double precision because kernels are; got {kind.__name__}"
                )
            self.leaves.append(value)
            return KIND["number"], len(self.leaves) - 1
        if value is None or isinstance(value, (int, bool, str, bytes, np.integer, np.bool_)):
            return KIND["static"], value
        parts, structure = flatten(value)
        if structure.is_leaf():
            if not is_constant(value):
                raise DtypeError(
                    f"compile: arguments must be arrays, numbers, strings or containers of them because what others "
                    f"hold may change unseen; got {kind.__name__}: pass its arrays, or register it with optree"
                )
            return KIND["static"], value
        return (KIND["tree"], flatten, structure, *map(self.pattern, parts))

    def layouts(self):
        return [leaf_layout(leaf) for leaf in self.leaves]


# Dicts whose keys come in another order have another structure, because a function may go through them.
ORDERED = contextlib.ExitStack()
ORDERED.enter_context(optree.dict_insertion_ordered(True, namespace="fastbs"))


def flatten(value):
    return optree.tree_flatten(value, none_is_leaf=True, namespace="fastbs")


def unflatten(structure, parts):
    return optree.tree_unflatten(structure, parts)


def is_constant(value):
    """Whether a value is the same whenever it is equal to itself: of its type's own hash, or code."""
    kind = type(value)
    if kind.__hash__ is object.__hash__:  # by identity
        is_code = callable(value) and not isinstance(kind.__call__, types.FunctionType)
        return is_code or kind is types.ModuleType or value is None or value is Ellipsis
    try:
        hash(value)
    except TypeError:
        return False
    return True


def hashable(pattern):
    """A pattern whose static values and keys count with their types: 1 and True are different."""
    kind, *parts = pattern
    if kind == KIND["static"]:
        return kind, type(parts[0]), parts[0]
    if kind in (KIND["array"], KIND["number"]):
        return pattern
    if kind == KIND["dict"]:
        keys, *parts = parts
        return kind, keys, *map(type, keys), *map(hashable, parts)
    if kind == KIND["tree"]:
        _, structure, *parts = parts
        return kind, structure, *map(hashable, parts)
    return kind, *map(hashable, parts)


def leaf_key(leaf):
    if type(leaf) is np.ndarray:
        is_fortran = leaf.flags.f_contiguous and not leaf.flags.c_contiguous
        return leaf.dtype.newbyteorder("="), leaf.shape, is_fortran
    return type(leaf)


def leaf_layout(leaf):
    """The layout of an input of a tape: arrays lie in C or F order, others are copied when they come."""
    if type(leaf) is not np.ndarray:
        return np.dtype(type(leaf)), type(leaf)
    dtype, shape, is_fortran = leaf_key(leaf)
    if not is_fortran:
        return c_layout(shape, dtype)
    return dtype, shape, tuple(reversed(c_layout(shape[::-1], dtype)[2]))


def c_layout(shape, dtype):
    """``(dtype, shape, strides in bytes)`` in C order."""
    return dtype, shape, tuple([step * dtype.itemsize for step in contiguous(shape)])


def built(pattern, leaves):
    """A value of this pattern; `leaves` has what stands for its inputs or results, by number."""
    kind = NAME[pattern[0]]
    if kind in ("array", "number", "result"):
        return leaves[pattern[1]]
    if kind in ("static", "value"):
        return pattern[1]
    if kind == "dict":
        return {key: built(part, leaves) for key, part in zip(pattern[1], pattern[2:], strict=True)}
    if kind == "tree":
        return unflatten(pattern[2], [built(part, leaves) for part in pattern[3:]])
    parts = [built(part, leaves) for part in pattern[1:]]
    return tuple(parts) if kind == "tuple" else parts


def results_pattern(structure, kept):
    """The pattern of the results: containers that the plan can build itself, or one tree."""
    numbered = unflatten(structure, list(range(len(kept))))

    def pattern(value):
        if type(value) is int:
            return kept[value]
        if type(value) in (tuple, list):
            return (KIND["tuple" if type(value) is tuple else "list"], *map(pattern, value))
        if type(value) is dict:
            return (KIND["dict"], tuple(value), *map(pattern, value.values()))
        raise NotImplementedError

    try:
        return pattern(numbered)
    except NotImplementedError:
        return (KIND["tree"], unflatten, structure, *kept)
