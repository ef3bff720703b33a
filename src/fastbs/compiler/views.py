"""Where values lie: buffers, and views of them that transposes, slices and broadcasts make without code."""

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Buffer", "View", "contiguous", "has_lines", "has_unit_lines", "merge"]


@dataclass(eq=False)
class Buffer:
    """Memory of one dtype: an argument, a result or a constant of the tape, or a temporary in its arena.

    Attributes
    ----------
    kind : {"input", "output", "constant", "temporary"}
    number : int, among those of its kind
    size : int, elements
    """

    kind: str
    number: int
    dtype: np.dtype
    size: int

    @property
    def nbytes(self):
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class View:
    """Strided elements of a buffer; strides and offset count elements."""

    buffer: Buffer
    shape: tuple
    strides: tuple
    offset: int = 0
    conj: bool = False

    @property
    def dtype(self):
        return self.buffer.dtype

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def mT(self):
        return replace(
            self,
            shape=(*self.shape[:-2], self.shape[-1], self.shape[-2]),
            strides=(*self.strides[:-2], self.strides[-1], self.strides[-2]),
        )

    @property
    def is_contiguous(self):
        steps = contiguous(self.shape)
        return all(n == 1 or s == t for n, s, t in zip(self.shape, self.strides, steps, strict=True))

    def broadcast(self, shape):
        """The same elements seen in a larger shape: new and stretched axes have stride 0."""
        if shape == self.shape:
            return self
        missing = len(shape) - self.ndim
        strides = [
            0 if n == 1 and full != 1 else s
            for n, s, full in zip(self.shape, self.strides, shape[missing:], strict=True)
        ]
        return replace(self, shape=shape, strides=(0,) * missing + tuple(strides))

    def insert(self, axis):
        """The same elements with a new axis of length 1."""
        shape, strides = list(self.shape), list(self.strides)
        shape.insert(axis, 1)
        strides.insert(axis, 0)
        return replace(self, shape=tuple(shape), strides=tuple(strides))

    def permuted(self, axes):
        """The axes in another order."""
        return replace(self, shape=tuple([self.shape[i] for i in axes]), strides=tuple([self.strides[i] for i in axes]))

    def reshaped(self, shape):
        """The same elements in another shape, or None where that takes a copy."""
        if self.is_contiguous:
            return replace(self, shape=shape, strides=contiguous(shape))
        # axes of length 1 come and go freely
        old = [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n != 1]
        if [n for n, _ in old] == [n for n in shape if n != 1]:
            rest = iter(old)
            return replace(self, shape=shape, strides=tuple([0 if n == 1 else next(rest)[1] for n in shape]))
        return None

    def indexed(self, index):
        """The view of a basic index: integers, slices, None and Ellipsis."""
        count = sum(i is not None and i is not Ellipsis for i in index)
        whole = (slice(None),) * (self.ndim - count)
        if Ellipsis in index:
            at = index.index(Ellipsis)
            index = (*index[:at], *whole, *index[at + 1 :])
        else:
            index = (*index, *whole)
        shape, strides, offset, axis = [], [], self.offset, 0
        for i in index:
            if i is None:
                shape.append(1)
                strides.append(0)
                continue
            n, s = self.shape[axis], self.strides[axis]
            axis += 1
            if isinstance(i, slice):
                start, stop, step = i.indices(n)
                length = len(range(start, stop, step))
                offset += start * s if length else 0
                shape.append(length)
                strides.append(s * step)
            else:
                offset += (i + n if i < 0 else i) * s
        return replace(self, shape=tuple(shape), strides=tuple(strides), offset=offset)


def contiguous(shape):
    """C-order strides in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def has_unit_lines(ld, unit, lines, length):
    """As in executor.c: BLAS can read lines of unit stride, `ld` apart."""
    return (unit == 1 or length == 1) and (ld >= length or lines == 1)


def has_lines(view, rows, columns):
    """Whether BLAS can read or write these matrices: rows, or columns, are contiguous. Conjugates need columns."""
    rs, cs = view.strides[-2:]
    return has_unit_lines(cs, rs, columns, rows) or (not view.conj and has_unit_lines(rs, cs, rows, columns))


def merge(shape, *strides):
    """Drop axes of length 1 and join neighbours that all operands walk through in one stride."""
    axes = []
    for n, *inner in zip(shape, *strides, strict=True):
        if n == 1:
            continue
        if axes and all(outer == n * step for outer, step in zip(axes[-1][1], inner, strict=True)):
            axes[-1] = (axes[-1][0] * n, inner)
        else:
            axes.append((n, inner))
    return axes
