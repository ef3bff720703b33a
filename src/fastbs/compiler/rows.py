"""The rows of a block system -> one loop, with a body for each kind of row, on slots that are named row by row.

Rows with the same blocks have the same instructions, on other arrays. So the tape of a thousand rows is made in the
time of a few, and its instructions stay in the first cache.
"""

from dataclasses import dataclass, field

import numpy as np

from .._trace import steps
from .assemble import layout_of, optimized, recorded, tape_of, view_of
from .instructions import BodyCode, LoopCode, NotLowerable
from .lowering import Lowering
from .program import Program, from_nodes
from .repeat import emit, inner_code, new_slot
from .views import View, contiguous

__all__ = ["Kind", "lower_rows"]


@dataclass
class Kind:
    """Rows that are computed in the same way.

    Attributes
    ----------
    function : callable
        Of traced arrays and numbers; returns one array.
    values : list of arrays and numbers
        Examples of the arguments.
    shape : tuple of int
        Of the result.
    names : list of lists of int
        For each row where its arguments and its result are: 0, 1, ... number the arguments of the tape, -1, -2, ... its
        results.
    """

    function: object
    values: list
    shape: tuple
    names: list = field(default_factory=list)


def lower_rows(kinds, order, inputs, outputs):
    """The tape of these rows, or None if one of them has no kernels.

    Parameters
    ----------
    kinds : list of Kind
    order : list of (int, int)
        The rows as they run: the kind, and which of its rows.
    inputs : list of arrays and numbers
        Examples of all arguments, of one dtype.
    outputs : list of arrays
        Examples of all results, of the same dtype; they will be in C order.
    """
    dtype = outputs[0].dtype
    layouts = [layout_of(x, dtype) for x in inputs]
    results = [(dtype, y.shape, tuple([s * dtype.itemsize for s in contiguous(y.shape)])) for y in outputs]
    to = Lowering(Program([], []), [], [])
    try:
        bodies = [body_of(to, kind, dtype, len(inputs)) for kind in kinds]
        entries = np.zeros((len(order), 4), np.int32)
        entries[:, :2] = order
        emit(to, LoopCode(bodies, entries))
        return tape_of(to, layouts, results)
    except (NotLowerable, TypeError):
        return None


def body_of(to, kind, dtype, n_inputs):
    """The code of one kind of row."""
    layouts = [layout_of(x, dtype) for x in kind.values]
    program = program_of(kind)
    (y,) = program.outputs
    if (y.shape, y.dtype) != (kind.shape, dtype) or any(layout[0] != dtype for layout in layouts):
        raise NotLowerable("several dtypes")
    views = [view_of("input", i, layout) for i, layout in enumerate(layouts)]
    views.append(View(None, y.shape, contiguous(y.shape)))
    slots = [new_slot(to, dtype) for _ in views]
    *arguments, result = (View(slot, view.shape, view.strides) for slot, view in zip(slots, views, strict=True))
    names = np.array(kind.names, np.int32)
    names[names < 0] = n_inputs - 1 - names[names < 0]
    return BodyCode(len(names), [], inner_code(to, program, arguments, [result]), slots, names)


def program_of(kind):
    """The steps of a row."""
    try:
        with np.errstate(all="ignore"):
            nodes, results = recorded(kind.function, kind.values)
    except Exception:  # a user's apply may do what cannot be recorded: NumPy then runs it
        raise NotLowerable("what cannot be recorded") from None
    if len(results) != 1 or results[0] is None:
        raise NotLowerable("a result that depends on nothing")
    return optimized(from_nodes(nodes, results, steps(results)))
