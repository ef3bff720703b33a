"""Operators on matrices: what they share, and the user's own. Their closure stands in `composites`.

Everything acts on matrices X with m rows and n columns. ``vec`` stacks columns, and the dense form of every
operator is its matrix on ``vec(X)``, so that ``Kronecker(A, B)`` agrees with ``numpy.kron(A, B)``. Deviations
from the paper (Edelman, Akyurek, Wang, SIAM J. Matrix Anal. Appl. 45(1), 2024): indices count from 0, and the
adjoint of a complex operator conjugates.

An operator's `apply` is a NumPy expression, so it also works on traced arrays. Arrays are held by reference.
"""

import functools
import math
import weakref
from typing import Any, ClassVar

import numpy as np

from ._tape import TapedOperator
from .arguments import as_array, is_array, is_scalar
from .errors import ShapeError, StructureError
from .shapes import text
from .tapes import apply_into, find_tape, leaves_of, with_leaves

__all__ = ["DEEP", "Operator", "explicit", "unvec", "vec"]

DEEP = 50  # composites nested deeper than this are worked on without recursion
CACHES = ("_H", "_T", "_back_H", "_back_T", "_structure")


def vec(X):
    """The columns of X under each other: ``vec(X)[i + m j] = X[i, j]``.

    Parameters
    ----------
    X : (m, n) array, or one with any number of axes, the first varying fastest

    Returns
    -------
    (m n,) array

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.vec(np.array([[1, 3], [2, 4]]))
    array([1, 2, 3, 4])
    """
    return np.reshape(np.transpose(X), (-1,))


def unvec(x, shape):
    """The array of this shape with ``vec(unvec(x, shape)) = x``.

    Parameters
    ----------
    x : array of as many elements as the shape has
    shape : tuple of int

    Raises
    ------
    ShapeError
        If x has more or fewer elements.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.unvec(np.array([1, 2, 3, 4]), (2, 2))
    array([[1, 3],
           [2, 4]])
    """
    try:
        return np.transpose(np.reshape(x, tuple(shape)[::-1]))
    except ValueError:
        raise ShapeError(
            f"unvec: x must have {math.prod(shape)} elements because the shape is {text(shape)}; got {np.size(x)}"
        ) from None


class Operator(TapedOperator):
    """X -> forward(X), a linear map with its adjoint: the user's own, and the base of all others.

    Parameters
    ----------
    forward : callable, X -> A X
        Linear; takes and returns arrays.
    adjoint : callable, Y -> A^H Y
        With ``<Y, forward(X)> = <adjoint(Y), X>``, where ``<Y, X> = sum(conj(Y) * X)``; see
        `fastbs.testing.check_adjoint`.
    symbol : str, optional
        How pictures name it.
    shape_in, shape_out : tuples, optional
        Shapes of X and A X; None for an axis of any length, or altogether where unknown. With `shape_in`
        known, leading axes of X are a stack of directions, and both functions must take such stacks.

    Laws
    ----
    ``A.H.H is A``; ``(A @ B).H`` is ``B.H @ A.H``; ``A.T`` is ``A.H`` conjugated; ``A.inv @ (A @ X)`` is X.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> double = fb.Operator(lambda X: 2 * X, lambda Y: 2 * Y, symbol="2")
    >>> double @ np.ones(2)
    array([2., 2.])
    >>> (double.H @ double) @ np.ones(2)
    array([4., 4.])
    """

    __array_ufunc__ = None  # ndarray @ op asks __rmatmul__, which explains itself
    __array_priority__ = 1000

    fields = None  # names of the attributes that hold arrays, numbers or operators; None: never on a tape
    options = ()  # names of the other attributes that decide what apply does
    closure: ClassVar[Any] = None  # compose, add and scale, which are written on top of this class
    precedence = 0  # block matrices are above operators: they combine the two
    is_zero = is_identity = False
    vectors = False  # of a composite: some part reads vectors, of which it takes no stacks
    depth = 0  # of a composite: how deep its parts are nested
    shape_in = None
    shape_out = None

    def __init__(self, forward, adjoint, symbol=None, shape_in=None, shape_out=None):
        for name, function in (("forward", forward), ("adjoint", adjoint)):
            if not callable(function):
                raise TypeError(
                    f"Operator: {name} must be callable because it is applied; got {type(function).__name__}"
                )
        self._set(
            forward=forward,
            backward=adjoint,
            name=symbol or getattr(forward, "__name__", "A").replace("<lambda>", "A"),
            shape_in=None if shape_in is None else tuple(shape_in),
            shape_out=None if shape_out is None else tuple(shape_out),
        )

    # What a subclass gives

    def apply(self, X):
        """A X without checks, in NumPy: X may be traced."""
        return self.forward(X)

    def adjoint(self):
        """A new operator: the adjoint. `H` is this one, kept."""
        return Operator(self.backward, self.forward, self.name + "ᴴ", self.shape_out, self.shape_in)

    def transposed(self):
        """A new operator: the transpose. `T` is this one, kept."""
        if "forward" in self.__dict__:
            maps = self.backward, self.forward  # not bound methods, which would refer back to this operator
        else:
            maps = self.H.apply, self.apply
        backward, forward = (functools.partial(conjugated, f) for f in maps)
        return Operator(backward, forward, self.symbol + "ᵀ", self.shape_out, self.shape_in)

    def apply_adjoint(self, Y):
        """A^H Y without checks, in NumPy: Y may be traced."""
        return self.H.apply(Y)

    def inverse(self):
        """A new operator: the inverse, from a snapshot of the arrays."""
        raise StructureError(f"{type(self).__name__}.inv: no inverse is known of {self}")

    def joined(self, inner):
        """What ``self @ inner`` collapses to, or None."""

    @property
    def dtype(self):
        """The dtype of the arrays held, as NumPy promotes them; None if there are none."""
        if self.depth > DEEP:
            dtypes = [leaf.dtype for leaf in leaves_of(self) if is_array(leaf)]
            return np.result_type(*dtypes) if dtypes else None
        held = [getattr(self, name) for name in self.fields or ()]
        held = [value for field in held for value in (field if isinstance(field, tuple) else (field,))]
        dtypes = {dtype for value in held if (dtype := getattr(value, "dtype", None)) is not None}
        return np.result_type(*dtypes) if dtypes else None

    @property
    def symbol(self):
        """How pictures write it."""
        return self.name

    @property
    def flops(self):
        """Estimated flops of one application; where nothing better is known, the elements read and written."""
        return float(sum(math.prod(n or 1 for n in shape) for shape in (self.shape_in, self.shape_out) if shape))

    # The closure

    @property
    def H(self):
        """The adjoint: ``<Y, A X> = <A.H Y, X>``."""
        return self._twin("_H", self.adjoint)

    @property
    def T(self):
        """The transpose: as `H`, without conjugation."""
        return self._twin("_T", self.transposed)

    @property
    def inv(self):
        """The inverse, made anew at each access from a snapshot of the arrays.

        Raises
        ------
        StructureError
            If no inverse is known, or the operator is not square.
        SingularError
            If a pivot is exactly zero.
        """
        return self.inverse()

    def solve(self, b):
        """The X with A X = b; ``A.inv @ b``."""
        return self.inverse() @ b

    def _twin(self, name, make):
        # The one that is asked keeps the other, which only refers back weakly: no reference cycle keeps
        # large arrays alive, and A.H.H is A as long as anybody can look.
        twin = self._kept_twin(name)
        if twin is None:
            if self.depth > DEEP:
                for part in parts_of(self):  # the innermost first, so that each finds those of its own parts
                    part._new_twin(name, getattr(part, make.__name__))
            twin = self._new_twin(name, make)
        return twin

    def _kept_twin(self, name):
        twin = self.__dict__.get(name)
        if twin is None and (back := self.__dict__.get("_back" + name)) is not None:
            twin = back()
        return twin

    def _new_twin(self, name, make):
        twin = self._kept_twin(name)
        if twin is None:
            twin = make()
            if twin is not self:
                self.__dict__[name] = twin
                twin.__dict__.setdefault("_back" + name, weakref.ref(self))
        return twin

    def __add__(self, other):
        return self._plus(other, 1)

    def __sub__(self, other):
        return self._plus(other, -1)

    def __neg__(self):
        return self.closure.add([(self, -1)])

    def __pos__(self):
        return self

    def _plus(self, other, sign):
        if not isinstance(other, Operator) or other.precedence > self.precedence:
            return NotImplemented
        return self.closure.add([(self, 1), (other, sign)])

    def __mul__(self, scalar):
        if not is_scalar(scalar):
            return NotImplemented
        return self.closure.scale(scalar, self)

    __rmul__ = __mul__

    def __truediv__(self, scalar):
        if not is_scalar(scalar):
            return NotImplemented
        return self if self.is_zero else self.closure.divide(scalar, self)

    def __radd__(self, other):
        return self.closure.add([(other, 1), (self, 1)]) if isinstance(other, Operator) else NotImplemented

    def __rsub__(self, other):
        return self.closure.add([(other, 1), (self, -1)]) if isinstance(other, Operator) else NotImplemented

    def __rmatmul__(self, other):
        if isinstance(other, Operator):
            return self.closure.compose(other, self)
        raise TypeError(
            f"{type(self).__name__}.__rmatmul__: the left factor must be an operator because operators act "
            f"on what stands to their right; got {type(other).__name__}, write fb.Left(A) @ op"
        )

    def _matmul(self, X):
        if isinstance(X, Operator):
            return NotImplemented if X.precedence > self.precedence else self.closure.compose(self, X)
        if is_array(X):
            if type(X) is not np.ndarray:
                as_array(X, f"{type(self).__name__}.__matmul__: X")
            self.check(X)
            if isinstance(X, np.ndarray) and type(X) is not np.ndarray:
                X = np.asarray(as_array(X, f"{type(self).__name__}.__matmul__: X"))
            result = self.apply(X)
            if isinstance(result, np.ndarray):
                if result.ndim == 0:
                    return result[()]
                if (result is X or result.base is not None) and np.may_share_memory(result, X):
                    return result.copy()  # results are new arrays
            return result
        if is_scalar(X) or self.takes(X):
            self.check(X)
            return self.apply(X)
        if hasattr(X, "precedence"):
            return NotImplemented
        raise TypeError(
            f"{type(self).__name__}.__matmul__: the right side must be an array or an operator because "
            f"operators act on arrays; got {type(X).__name__}, write fb.Left(A) for a matrix as an operator"
        )

    # Shapes

    def shapes_at(self, rank):
        """``(shape_in, shape_out)`` for X of this many axes; Left and Right also take vectors."""
        return self.shape_in, self.shape_out

    def shape_of(self, shape):
        """The shape of A X for X of this shape, leading stack axes included.

        Raises
        ------
        ShapeError
            If the operator does not take this shape; the message holds both.
        """
        complete = None if self.shape_out is None or None in self.shape_out else self.shape_out
        if shape is None:  # of what an operator without shapes gives
            return complete
        shape = tuple(shape)
        shape_in, shape_out = self.shapes_at(len(shape))
        if shape_in is None or shape_out is None:
            return shape if self.keeps_shape else complete
        stack = len(shape) - len(shape_in)
        core = shape[stack:]
        if stack < 0 or any(m is not None and m != n for m, n in zip(shape_in, core, strict=True)):
            raise ShapeError(
                f"{type(self).__name__}.apply: X must be {text(shape_in)} because {self._because()}; got {text(shape)}"
            )
        return shape[:stack] + tuple(core[i] if n is None else n for i, n in enumerate(shape_out))

    def takes(self, X):
        """Whether the operator acts on something that is neither an array nor a number, such as a tuple."""
        return "forward" in self.__dict__ and self.shape_in is None and isinstance(X, (list, tuple, dict))

    @property
    def keeps_shape(self):
        """Whether the operator gives the shape it takes, whatever that is: Identity, and what is made of it."""
        return self.shape_in is None and (self.is_identity or (self.is_zero and self.shape_out is None))

    def is_unstacked(self, rank):
        """Whether arrays of this rank are no stacks of directions: vectors for Left and Right."""
        if self.shape_in is None:
            return self.vectors or "forward" in self.__dict__
        return self.vectors or rank < len(self.shape_in)

    def check(self, X):
        """The shape of A X; ShapeError if the operator does not take X."""
        return self.shape_of(X.shape if is_array(X) else ())

    def _because(self):
        return f"{self} takes {text(self.shape_in)}"

    # Other forms

    def to_dense(self, shape_in=None):
        """The matrix on ``vec(X)``, by applying the operator to all unit matrices at once.

        Parameters
        ----------
        shape_in : tuple of int, optional
            Shape of X; needed where the operator leaves an axis free.

        Returns
        -------
        (elements of A X, elements of X) array
        """
        shape_in = self._complete(shape_in, "to_dense")
        size = int(np.prod(shape_in))
        basis = np.eye(size, dtype=self.dtype).reshape(size, *shape_in[::-1])
        basis = np.transpose(basis, (0, *range(len(shape_in), 0, -1)))
        if not self.is_unstacked(len(shape_in)):
            columns = np.asarray(self @ basis)
        elif size:
            columns = np.stack([self @ X for X in basis])
        else:
            columns = np.empty((0, *np.shape(self @ np.zeros(shape_in, self.dtype))), self.dtype)
        columns = np.transpose(columns, (0, *range(columns.ndim - 1, 0, -1)))
        return np.ascontiguousarray(columns.reshape(size, int(np.prod(columns.shape[1:]))).T)

    def _complete(self, shape, where):
        """A shape without free axes, or an error that asks for them."""
        if shape is None:
            shape = self.shape_in
        elif self.shape_in is not None:
            self.shape_of(shape)
        if shape is None or None in shape:
            raise ShapeError(
                f"{type(self).__name__}.{where}: shape_in must be given because the operator leaves axes "
                f"free; got {text(shape)}"
            )
        return tuple(shape)

    def as_scipy(self, shape_in=None):
        """This operator on ``vec(X)`` as a `scipy.sparse.linalg.LinearOperator`.

        Parameters
        ----------
        shape_in : tuple of int, optional
            Shape of X; needed where the operator leaves an axis free.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> from scipy.sparse.linalg import lsqr
        >>> A = fb.Kronecker(np.array([[2.0]]), np.array([[1.0, 1.0], [0.0, 1.0]]))
        >>> lsqr(A.as_scipy(), np.array([6.0, 2.0]))[0].round(6)
        array([2., 1.])
        """
        from .interop.scipy import VecOperator  # a bridge: SciPy's sparse package is slow to import

        return VecOperator(self, self._complete(shape_in, "as_scipy"))

    # Calls from the compiled base class

    def _find_tape(self, X, out):
        return find_tape(self, X, out)

    def _apply_into(self, X, out):
        return apply_into(self, X, out)

    # Objects

    def _set(self, **attributes):
        for name, value in attributes.items():
            object.__setattr__(self, name, value)  # methods are found faster than beside a filled __dict__

    def __setattr__(self, name, value):
        raise AttributeError(
            f"{type(self).__name__}.{name}: operators are immutable because others may hold them; make a new one"
        )

    def __delattr__(self, name):
        self.__setattr__(name, None)

    def replace(self, **attributes):
        """The same operator with other fields or options, unchecked."""
        op = type(self).__new__(type(self))
        kept = self._kept()
        op.__dict__.update(kept, **attributes)
        return op

    def __reduce__(self):
        return rebuild, (type(self), self._kept())

    def _kept(self):
        for name in self.fields or ():
            getattr(self, name)  # composites flatten
        return {k: v for k, v in self.__dict__.items() if k not in CACHES}

    def __str__(self):
        return self.symbol

    def __repr__(self):
        dtype = "" if self.dtype is None else f", {self.dtype}"
        return f"<{type(self).__name__} {self.symbol}: {text(self.shape_in)} -> {text(self.shape_out)}{dtype}>"


def conjugated(function, X):
    """conj(function(conj(X)))"""
    return np.conjugate(function(np.conjugate(X)))


def rebuild(cls, attributes):
    """What pickle and copy call."""
    op = cls.__new__(cls)
    op.__dict__.update(attributes)
    return op


def explicit(op):
    """The same operator with arrays in place of kept factors."""
    leaves = (leaf @ np.eye(len(leaf), dtype=leaf.dtype) if hasattr(leaf, "solver") else leaf for leaf in leaves_of(op))
    return with_leaves(op, leaves) if op.fields else op


def parts_of(op):
    """All composites inside a composite, the innermost first; no recursion."""
    found, seen, stack = [], set(), [op]
    while stack:
        for part in getattr(stack.pop(), "operators", ()):
            if part.depth and id(part) not in seen:
                seen.add(id(part))
                found.append(part)
                stack.append(part)
    found.sort(key=lambda part: part.depth)
    return found
