"""Block matrices of operators: where the blocks stand, and how the generic substitution is called on them."""

import bisect
import functools
from typing import ClassVar

import numpy as np
from numpy import ndarray

from ..arguments import check_threads, is_scalar
from ..backslash import adjoint_rows
from ..display import draw, html
from ..errors import ShapeError, StructureError
from ..operator import Operator
from ..operators import Identity
from ..values import add
from .entry import adjoint_of, as_operator, is_multiple_of_identity, is_zero_number, transpose_of
from .factorization import Factorization, StackFactorization
from .flat import as_scipy
from .lazy import LazyProduct, block_index
from .vector import block_vector, like

__all__ = ["BlockMatrix"]


class BlockMatrix(Operator):
    """A matrix of operators: it acts on block vectors, ``(A v)_i = sum over j of A_ij v_j``.

    Parameters
    ----------
    rows : list of lists, or an object array
        Blocks: operators, matrices (taken as `Left`), numbers (times `Identity`), lists (rows that act on
        tuples of parameters), block matrices, or None for zero.

    Maps      block vectors, lists with one entry a block column, to lists with one entry a block row; None is
              a zero entry on both sides. An array, with the entries along its first axis, gives an array if all
              entries of the result have one shape
    Adjoint   a view: ``A.H[i, j]`` is ``A[j, i].H``
    Cost      one product a nonzero block; zero blocks cost nothing
    Raises    ShapeError, which names the block
    Source    paper, section 3

    ``A[i, j]`` is the stored block or None, ``A[i:k, j]`` a block matrix. Sums and products are block matrices
    with the narrowest structure that holds them (`Diagonal`, `Bidiagonal`, `Triangular`); ``Identity() - L``
    too.

    Examples
    --------
    >>> import fastbs as fb
    >>> A = fb.BlockMatrix([[1, None], [3, 2]])
    >>> A @ [1.0, 10.0]
    [1.0, 23.0]
    >>> A.H @ [1.0, 10.0]
    [31.0, 20.0]
    >>> A.solve([1.0, 5.0])
    [1.0, 1.0]
    """

    precedence = 1
    stack = None  # the arrays that the blocks stand in, for which there are kernels
    narrower: ClassVar[list] = []  # subclasses, widest first; each knows which positions it holds

    def __init_subclass__(cls, structure=False, **keywords):
        super().__init_subclass__(**keywords)
        if structure:
            BlockMatrix.narrower.append(cls)

    def __init__(self, rows):
        if not isinstance(rows, (list, tuple, np.ndarray)) or not all(
            isinstance(row, (list, tuple)) or (isinstance(row, np.ndarray) and row.ndim) for row in rows
        ):
            raise TypeError(f"BlockMatrix: rows must be a list of lists of blocks; got {rows!r:.60}")
        rows = [list(row) for row in rows]
        widths = {len(row) for row in rows}
        if len(widths) > 1:
            raise ShapeError(
                f"BlockMatrix: all rows must have one length because columns stand under each other; got "
                f"lengths {sorted(widths)}"
            )
        self._fill(
            (len(rows), widths.pop() if widths else 0),
            {(i, j): block for i, row in enumerate(rows) for j, block in enumerate(row)},
        )

    def _fill(self, shape, blocks):
        """Store the blocks row by row, columns ascending; None is not stored."""
        rows = [[] for _ in range(shape[0])]
        for (i, j), block in blocks.items():
            if block is None or (i != j and is_zero_number(block)):
                continue
            where = f"{type(self).__name__}: block ({i}, {j})"
            try:
                rows[i].append((j, as_operator(block, where)))
            except (ShapeError, TypeError) as error:
                message = str(error)
                raise type(error)(message if message.startswith(where) else f"{where}: {message}") from None
        for row in rows:
            row.sort(key=lambda entry: entry[0])
        self._set(shape=shape, rows=rows)
        return self

    @classmethod
    def from_stack(cls, stack):
        """The block matrix whose blocks stand in arrays; operators of them are made when one is asked for."""
        matrix = cls.__new__(cls)
        matrix._set(shape=(stack.n, stack.n), stack=stack)
        return matrix

    @functools.cached_property
    def rows(self):
        """The blocks of each row with their columns, ascending."""
        blocks = {at: Identity() if block is None else block for at, block in self.stack.blocks().items()}
        made = type(self).__new__(type(self))
        return made._fill(self.shape, blocks).rows

    @classmethod
    def from_blocks(cls, shape, blocks):
        """The block matrix of the narrowest structure with these blocks ``{(i, j): block}``."""
        kind = cls
        positions = [position for position, block in blocks.items() if block is not None]
        if shape[0] == shape[1]:
            kind = next((c for c in reversed(BlockMatrix.narrower) if c.holds(positions)), BlockMatrix)
        return kind.__new__(kind)._fill(shape, blocks)

    @classmethod
    def holds(cls, positions):
        """Whether square matrices with blocks at these positions have this structure."""
        return True

    # Structure

    def items(self):
        """``((i, j), block)`` of every nonzero block, row by row."""
        for i, row in enumerate(self.rows):
            for j, block in row:
                yield (i, j), block

    @property
    def uplo(self):
        """``"L"`` if all blocks stand on or below the diagonal, ``"U"`` if on or above, else None."""
        if self.stack is not None:
            return "U" if self.stack.upper and self.shape[0] > 1 else "L"
        positions = [position for position, _ in self.items()]
        if all(i >= j for i, j in positions):
            return "L"
        return "U" if all(i <= j for i, j in positions) else None

    def __getitem__(self, index):
        if not isinstance(index, tuple) or len(index) != 2:
            raise IndexError(f"{type(self).__name__}: two indices are needed, A[i, j]; got {index!r}")
        if any(isinstance(k, slice) for k in index):
            return self._part(*index)
        i, j = (block_index(k, n, type(self).__name__) for k, n in zip(index, self.shape, strict=True))
        row = self.rows[i]
        at = bisect.bisect_left(row, j, key=lambda entry: entry[0])
        return row[at][1] if at < len(row) and row[at][0] == j else None

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        """The rows, as lists of blocks."""
        return iter([[self[i, j] for j in range(self.shape[1])] for i in range(self.shape[0])])

    def _part(self, *index):
        chosen = [
            range(*k.indices(n)) if isinstance(k, slice) else [block_index(k, n, type(self).__name__)]
            for k, n in zip(index, self.shape, strict=True)
        ]
        columns = {j: new for new, j in enumerate(chosen[1])}
        blocks = {
            (new, columns[j]): block for new, i in enumerate(chosen[0]) for j, block in self.rows[i] if j in columns
        }
        return BlockMatrix.from_blocks((len(chosen[0]), len(chosen[1])), blocks)

    @property
    def dtype(self):
        if self.stack is not None:
            return self.stack.dtype
        dtypes = {dtype for _, block in self.items() if (dtype := getattr(block, "dtype", None)) is not None}
        return np.result_type(*dtypes) if dtypes else None

    @property
    def symbol(self):
        return f"[{self.shape[0]}×{self.shape[1]}]"

    def __str__(self):
        return draw(self)

    def __repr__(self):
        if self.stack is not None:
            stack = self.stack
            batch = "".join(f"{k} x " for k in stack.batch)
            size = "many sizes" if stack.m is None else f"{stack.m} x {stack.m}"
            return f"<{type(self).__name__} in arrays: {batch}{stack.n} blocks of {size}, {stack.dtype}>"
        (n, m), dtype = self.shape, self.dtype
        dtype = "" if dtype is None else f", {dtype}"
        return f"<{type(self).__name__}: {n} x {m} blocks, {sum(map(len, self.rows))} nonzero{dtype}>"

    def _repr_html_(self):
        return html(self)

    # The closure

    def adjoint(self):
        return self._view(adjoint_of) if self.stack is None else self.from_stack(self.stack.H)

    def transposed(self):
        return self._view(transpose_of) if self.stack is None else self.from_stack(self.stack.T)

    def _view(self, element):
        view = type(self).__new__(type(self))
        view._set(shape=self.shape[::-1], rows=adjoint_rows(self.rows, self.shape[1], element))
        return view

    def _plus(self, other, sign):
        if not isinstance(other, Operator) or other.precedence > self.precedence:
            return NotImplemented
        return self._combined(self._as_blocks(other), 1, sign)

    def __radd__(self, other):
        return self._combined(self._as_blocks(other), 1, 1) if isinstance(other, Operator) else NotImplemented

    def __rsub__(self, other):
        return self._combined(self._as_blocks(other), -1, 1) if isinstance(other, Operator) else NotImplemented

    def _as_blocks(self, op):
        """Identity, a multiple of it, or zero as a block matrix of this shape."""
        if isinstance(op, BlockMatrix):
            return op
        if op.is_zero:
            return BlockMatrix.from_blocks(self.shape, {})
        if not is_multiple_of_identity(op):
            raise StructureError(
                f"{type(self).__name__}.__add__: an operator must be a multiple of Identity because it stands "
                f"in every diagonal block; got {type(op).__name__}"
            )
        if self.shape[0] != self.shape[1]:
            raise StructureError(
                f"{type(self).__name__}.__add__: the block matrix must be square because Identity is; got "
                f"{self.shape[0]} x {self.shape[1]} blocks"
            )
        return BlockMatrix.from_blocks(self.shape, {(i, i): op for i in range(self.shape[0])})

    def _combined(self, other, mine, others):
        """mine * self + others * other, signs 1 or -1; other comes first where both have a block."""
        if self.shape != other.shape:
            raise ShapeError(
                f"{type(self).__name__}.__add__: both must have one block shape because blocks are added; got "
                f"{self.shape} and {other.shape}"
            )
        blocks = {position: block if others == 1 else -block for position, block in other.items()}
        for position, block in self.items():
            if position not in blocks:
                blocks[position] = block if mine == 1 else -block
                continue
            try:
                blocks[position] = blocks[position] + block if mine == 1 else blocks[position] - block
            except ShapeError as error:
                raise ShapeError(f"{type(self).__name__}.__add__: block {position}: {error}") from None
        return BlockMatrix.from_blocks(self.shape, blocks)

    def __neg__(self):
        return self._map(lambda block: -block)

    def __mul__(self, scalar):
        return self._map(lambda block: scalar * block) if is_scalar(scalar) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, scalar):
        return self._map(lambda block: block / scalar) if is_scalar(scalar) else NotImplemented

    def _map(self, function):
        return BlockMatrix.from_blocks(self.shape, {at: function(block) for at, block in self.items()})

    # Action

    def takes(self, X):
        return isinstance(X, (list, tuple))

    def __matmul__(self, X):
        stack = self.stack
        if stack is not None and type(X) is ndarray:  # first, since kernels take little time
            return stack.multiply(X)
        return self._matmul(X)

    def _matmul(self, X):
        if isinstance(X, BlockMatrix):
            return self._times(X)
        if isinstance(X, Operator):
            if X.precedence > self.precedence:
                return NotImplemented
            if isinstance(X, Identity):
                return self
            if is_multiple_of_identity(X):
                return self._map(lambda block: block @ X)
            if "forward" in X.__dict__:  # a user's own, on block vectors
                return LazyProduct((self, X))
            raise TypeError(
                f"{type(self).__name__}.__matmul__: the right side must be a block matrix or a block vector "
                f"because blocks act on blocks; got {type(X).__name__}"
            )
        if self.stack is not None:
            return self.stack.multiply(X)
        return like(X, self.apply(block_vector(X, self.shape[1], f"{type(self).__name__}.__matmul__: v")))

    def _find_tape(self, X, out):
        return None

    def __rmatmul__(self, other):
        if isinstance(other, Identity):
            return self
        if isinstance(other, Operator) and is_multiple_of_identity(other):
            return self._map(lambda block: other @ block)
        if isinstance(other, Operator) and "forward" in other.__dict__:
            return LazyProduct((other, self))
        if isinstance(other, Operator):
            raise TypeError(
                f"{type(self).__name__}.__rmatmul__: the left side must be a block matrix because the result of "
                f"a block matrix is a block vector; got {type(other).__name__}"
            )
        raise TypeError(
            f"{type(self).__name__}.__rmatmul__: the left factor must be a block matrix because the result is a block "
            f"vector; got {type(other).__name__}, write fb.BlockMatrix([[...]])"
        )

    def inverse(self):
        return Factorization(self) if self.stack is None else StackFactorization(self, self.stack.factorized())

    def solve(self, b, out=None, overwrite_b=False, threads=1):
        """The x with A x = b, by substitution; A must be square and triangular.

        Parameters
        ----------
        b : block vector, or a block matrix or lazy product, for which the result is lazy
            An array has the entries along its first axis, and gives an array. Where the blocks stand in arrays
            (`Bidiagonal.from_arrays`), it may also be flat, with m rows for each of them.
        out : array of the shape and dtype of the result, optional
            Where to write it, if b is an array; may be b.
        overwrite_b : bool
            Whether the result may be written to b, if the blocks stand in arrays.
        threads : int
            For the columns of b, or for the systems of a batch, if the blocks stand in arrays.

        Raises
        ------
        StructureError, SingularError
            With the block that is in the way.
        """
        stack = self.stack
        if stack is not None and type(b) is ndarray and threads == 1:
            x = stack.run(b, b if overwrite_b and out is None else out)
            if x is not None:
                return x
        if stack is not None and not isinstance(b, Operator):
            return stack.solve(b, out, overwrite_b, threads)
        if threads != 1:
            check_threads(threads, f"{type(self).__name__}.solve")
            raise StructureError(
                f"{type(self).__name__}.solve: threads must be 1 because parts of arrays run on threads, and blocks or "
                f"the right side are no array; got threads={threads}"
            )
        return self.inverse().solve(b, out)

    def logdet(self):
        """(sign, log|det|), as `numpy.linalg.slogdet`, where the blocks stand in arrays; of each system of a batch.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> fb.Diagonal.from_arrays(np.full((3, 1, 1), -np.e)).logdet()
        (np.float64(-1.0), np.float64(3.0))
        """
        if self.stack is None:
            raise StructureError(
                f"{type(self).__name__}.logdet: the blocks must stand in arrays because operators have no "
                f"determinants; got {self!r}"
            )
        return self.stack.logdet()

    def row_shape(self, i):
        """The shape of entry i of a result as far as blocks tell it."""
        if self.stack is not None:
            return (self.stack.height(i), None)
        return next((b.shape_out for _, b in self.rows[i] if getattr(b, "shape_out", None) is not None), None)

    def column_shape(self, j):
        """The shape of entry j of a block vector as far as blocks tell it."""
        if self.stack is not None:
            return (self.stack.height(j), None)
        return next(
            (b.shape_in for (_, k), b in self.items() if k == j and getattr(b, "shape_in", None) is not None), None
        )

    def apply(self, v):
        result = []
        for i, row in enumerate(self.rows):
            total = None
            for j, block in row:
                if v[j] is not None:
                    try:
                        total = add(total, block @ v[j])
                    except (TypeError, ValueError) as error:
                        kind = TypeError if isinstance(error, TypeError) else ShapeError
                        raise kind(
                            f"{type(self).__name__}.__matmul__: block ({i}, {j}) and entry {j}: {error}"
                        ) from error
            result.append(total)
        return result

    def _times(self, other):
        if self.shape[1] != other.shape[0]:
            raise ShapeError(
                f"{type(self).__name__}.__matmul__: the right factor must have {self.shape[1]} block rows because "
                f"the left one has as many block columns; got {other.shape[0]}"
            )
        blocks = {}
        for (i, k), left in self.items():
            for j, right in other.rows[k]:
                try:
                    term = left @ right
                    blocks[i, j] = blocks[i, j] + term if (i, j) in blocks else term
                except ShapeError as error:
                    raise ShapeError(
                        f"{type(self).__name__}.__matmul__: blocks ({i}, {k}) and ({k}, {j}): {error}"
                    ) from error
        return BlockMatrix.from_blocks((self.shape[0], other.shape[1]), blocks)

    as_scipy = as_scipy

    @property
    def flat_form(self):
        """(batch, rows, dtype) of the flat vectors that blocks in arrays take; else None."""
        return None if self.stack is None else self.stack.flat_form

    def to_dense(self, shape_in=None):
        """The matrix on the ``vec`` of all entries under each other.

        Parameters
        ----------
        shape_in : list of tuples, optional
            Shape of every entry of a block vector; needed where operators leave axes free.
        """
        if shape_in is None:
            shape_in = [None if self.stack is None else (self.stack.height(j),) for j in range(self.shape[1])]
        shape_in = list(shape_in)
        if len(shape_in) != self.shape[1]:
            raise ShapeError(
                f"{type(self).__name__}.to_dense: shape_in must have {self.shape[1]} shapes because there are as many "
                f"block columns; got {len(shape_in)}"
            )
        dense = {}
        heights = [None] * self.shape[0]
        widths = [None if shape is None else int(np.prod(shape)) for shape in shape_in]
        for (i, j), block in self.items():
            dense[i, j] = part = block.to_dense(shape_in[j])
            for sizes, k, n in ((heights, i, part.shape[0]), (widths, j, part.shape[1])):
                if sizes[k] not in (None, n):
                    raise ShapeError(
                        f"{type(self).__name__}.to_dense: block ({i}, {j}) must have {sizes[k]} rows or columns "
                        f"because its neighbours have; got {part.shape}"
                    )
                sizes[k] = n
        is_square = self.shape[0] == self.shape[1]
        widths = [n if n is not None else heights[k] if is_square else 1 for k, n in enumerate(widths)]
        widths = [1 if n is None else n for n in widths]
        heights = [n if n is not None else widths[k] if is_square else 1 for k, n in enumerate(heights)]
        result = np.zeros(
            (sum(heights), sum(widths)), self.dtype or (np.result_type(*dense.values()) if dense else float)
        )
        rows, columns = (np.concatenate([[0], np.cumsum(sizes)]).astype(int) for sizes in (heights, widths))
        for (i, j), part in dense.items():
            result[rows[i] : rows[i + 1], columns[j] : columns[j + 1]] = part
        return result
