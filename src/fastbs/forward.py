"""Substitution with all unit directions: (I - L)^-1 D forward, and back (I - L)^-H, block by block.

A block belongs to some directions and to some elements of the outputs. Steps that only put results into their place,
and add up such places, are not followed: what they put there are the blocks. Of a symmetric Jacobian the blocks on one
side of the diagonal are followed, and a step needs only the directions of the blocks that depend on it.
"""

import itertools

import numpy as np

from .directions import Unit, collect, first_of, is_dense, numbered, push
from .operator import Operator
from .operators.elementwise import Elementwise
from .operators.product import LeftFactor, RightFactor
from .rules.indexing import add_at, get
from .rules.table import Linear

__all__ = ["pulled_units", "pushed_units"]

MOST = 4000  # stacks pushed through steps: beyond, directions of one input stay together and lose their structure


def pushed_units(inputs, outputs, edges, symmetric=False):
    """The transposed Jacobian, (elements of the inputs, elements of the outputs).

    Parameters
    ----------
    inputs, outputs : lists of Node
    edges : dict, step -> [(argument, operator)] in execution order
    symmetric : bool
        Whether the Jacobian is, as a Hessian.
    """
    places, total = placed_outputs(outputs, edges)
    hulls = reached(places, edges)
    units, start = {}, 0
    for x in inputs:
        units[x] = Unit(start, np.shape(x.value), x.value.dtype)
        start += units[x].count
    followed = [(node, terms) for node, terms in edges.items() if node in hulls]
    spans = spans_of(units, followed)
    if sum(len(spans.get(a, ())) for _, terms in followed for a, _ in terms) > max(MOST, len(inputs) * len(edges)):
        units = {x: unit.dense() for x, unit in units.items()}
        spans = spans_of(units, followed)
    side = cheaper_side(spans, hulls, followed) if symmetric else None
    stacks, skipped = {x: [unit] for x, unit in units.items() if unit.count}, False
    for node, terms in followed:
        found = []
        for argument, op in terms:
            for stack in stacks.get(argument, ()):
                pushed = push(stack, node.function, op)
                if pushed is None:
                    continue
                if is_needed(span_of(pushed), hulls[node], side):
                    collect(found, pushed)
                else:
                    skipped = True
        stacks[node] = found
    rows, columns = {0, start}, {0, total}
    blocks = []
    for node, first in places:
        m = int(np.size(node.value))
        for stack in stacks.get(node, ()) if m else ():
            if not is_needed(span_of(stack), (first, first + m), side):
                skipped = True
                continue
            blocks.append((stack.start, first, np.reshape(stack.dense().array, (stack.count, m))))
            rows |= {stack.start, stack.start + stack.count}
            columns |= {first, first + m}
    if skipped:
        rows = columns = rows | columns
    dtype = np.result_type(*(y.value.dtype for y in outputs))
    cells = cells_of(blocks, sorted(rows), sorted(columns), side if skipped else None)
    return joined(cells, sorted(rows), sorted(columns), dtype)


def pulled_units(outputs, inputs, edges):
    """The Jacobian by back substitution, (elements of the outputs, elements of the inputs); as `pushed_units`."""
    stacks, start = {}, 0
    for y in outputs:
        unit = Unit(start, np.shape(y.value), y.value.dtype)
        start += unit.count
        if unit.count:
            collect(stacks.setdefault(y, []), unit)
    for node in reversed(edges):
        for stack in stacks.pop(node, ()):
            for argument, op in edges[node]:
                pulled = push(stack, None, adjoint_of(op))
                if pulled is not None:
                    collect(stacks.setdefault(argument, []), pulled)
    rows, columns, blocks, first = {0, start}, [0], [], 0
    for x in inputs:
        m = int(np.size(x.value))
        for stack in stacks.get(x, ()) if m else ():
            blocks.append((stack.start, first, np.reshape(stack.dense().array, (stack.count, m))))
            rows |= {stack.start, stack.start + stack.count}
        first += m
        columns.append(first)
    rows, columns = sorted(rows), sorted({*columns})
    dtype = np.result_type(*(y.value.dtype for y in outputs))
    return joined(cells_of(blocks, rows, columns, None), rows, columns, dtype)


def adjoint_of(op):
    """The adjoint, as an operator of the table where there is one."""
    if type(op) is Elementwise and op.shape_in == op.shape_out:
        return op
    if type(op) in (LeftFactor, RightFactor) and is_dense(op):
        return type(op)(op.F.T, op.shape_out, op.shape_in)
    return Operator(op.apply_adjoint, op.apply, "ᴴ", op.shape_out, op.shape_in)


def placed_outputs(outputs, edges):
    """``[(node, first)]``: the Jacobian of the outputs has that of the node added from row `first` on."""
    places, start = [], 0
    for y in outputs:
        open_ends = [(y, start)]
        while open_ends:
            node, first = open_ends.pop()
            terms = edges.get(node, ())
            puts = [put_at(node, op) for _, op in terms]
            if not terms or None in puts:
                places.append((node, first))
            else:
                open_ends += [(argument, first + at) for (argument, _), at in zip(terms, puts, strict=True)]
        start += int(np.size(y.value))
    return places, start


def put_at(node, op):
    """Where a step puts its argument, as it is, into a flat array; None if it does anything else."""
    if type(op) is Elementwise:
        return 0 if op.M is None and op.shape_in == op.shape_out else None
    if type(op) is not Linear or node.function not in (add_at, np.reshape) or (node.function is add_at and op.data[2:]):
        return None
    if node.function is np.reshape:
        return 0
    return first_of(get(numbered(op.shape_out), index=op.keywords["index"], ndim=len(op.shape_out)))


def reached(places, edges):
    """``{node: (first, last)}``: the range of the rows of the Jacobian that depend on a node."""
    hulls = {}
    for node, first in places:
        widen(hulls, node, (first, first + int(np.size(node.value))))
    for node in reversed(edges):
        if node in hulls:
            for argument, _ in edges[node]:
                widen(hulls, argument, hulls[node])
    return hulls


def widen(hulls, node, hull):
    known = hulls.get(node, hull)
    hulls[node] = min(known[0], hull[0]), max(known[1], hull[1])


def span_of(stack):
    """The range of the directions of a stack."""
    return stack.start, stack.start + stack.count


def spans_of(units, followed):
    """``{node: the ranges of directions of its stacks}``, in order."""
    spans, kept = {x: {span_of(unit): None} for x, unit in units.items() if unit.count}, dict(units)
    for node, terms in followed:
        found = {}
        for argument, op in terms:
            unit = kept.get(argument)
            part = push(unit, node.function, op) if type(unit) is Unit and type(op) is Linear else None
            if type(part) is Unit:
                kept[node] = part if len(terms) == 1 else None
                found[span_of(part)] = None
            else:
                found |= spans.get(argument, {})
        spans[node] = found
    return spans


def is_needed(span, hull, side):
    """Whether some of these directions are on the side of the diagonal that is followed, in the rows of a hull."""
    if side is None:
        return True
    return span[0] < hull[1] if side == "earlier" else span[1] > hull[0]


def cheaper_side(spans, hulls, followed):
    """Whether to follow the earlier of the directions to the elements of the outputs, or the later ones."""

    def flops(side):
        return sum(
            op.flops * (span[1] - span[0])
            for node, terms in followed
            for argument, op in terms
            for span in spans.get(argument, ())
            if is_needed(span, hulls[node], side)
        )

    return min(("earlier", "later"), key=flops)


def cells_of(blocks, rows, columns, side):
    """``{(i, j): array}`` between the cuts; those of the side that was not followed are transposes."""
    cells = {}
    row, column = ({cut: i for i, cut in enumerate(cuts)} for cuts in (rows, columns))
    for start, first, array in blocks:
        n, m = array.shape
        for i in range(row[start], row[start + n]):
            for j in range(column[first], column[first + m]):
                if side is not None and (i > j if side == "earlier" else i < j):
                    continue
                top, bottom, left, right = rows[i], rows[i + 1], columns[j], columns[j + 1]
                part = array
                if (bottom - top, right - left) != (n, m):
                    part = array[top - start : bottom - start, left - first : right - first]
                cells[i, j] = cells[i, j] + part if (i, j) in cells else part
    if side is not None:
        cells |= {(j, i): np.transpose(part) for (i, j), part in cells.items() if i != j}
    return cells


def joined(cells, rows, columns, dtype):
    """One array of all cells; zeros where there is none."""
    if len(rows) < 2 or len(columns) < 2:
        return np.zeros((rows[-1], columns[-1]), dtype)
    lines = []
    for i, (top, bottom) in enumerate(itertools.pairwise(rows)):
        line, end = [], 0
        for j, left in enumerate(columns):
            is_cell = (i, j) in cells
            if end < left and (is_cell or left == columns[-1]):  # the cells before are all zero
                line.append(np.zeros((bottom - top, left - end), dtype))
            if is_cell:
                line.append(cells[i, j])
                end = columns[j + 1]
        lines.append(line[0] if len(line) == 1 else np.concatenate(line, axis=1))
    return lines[0] if len(lines) == 1 else np.concatenate(lines)
