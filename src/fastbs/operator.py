"""Operators on matrices and their closure under composition, sums, scaling and adjoints.

Everything acts on matrices X with m rows and n columns. ``vec`` stacks columns, and the dense form of every
operator is its matrix on ``vec(X)``, so that ``Kronecker(A, B)`` agrees with ``numpy.kron(A, B)``. Deviations
from the paper (Edelman, Akyurek, Wang, SIAM J. Matrix Anal. Appl. 45(1), 2024): indices count from 0, and the
adjoint of a complex operator conjugates.

An operator's `apply` is a NumPy expression, so it also works on traced arrays. Arrays are held by reference.
"""

import functools
import math
import numbers
import weakref

import numpy as np

from . import values
from ._tape import TapedOperator
from .arguments import as_array, is_array, is_scalar
from .errors import ShapeError, SingularError, StructureError
from .shapes import link, text, unify
from .tapes import apply_into, find_tape, leaves_of, with_leaves

__all__ = ["ArrayOperator", "Composition", "Operator", "Scaled", "Sum", "unvec", "vec"]

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

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> fb.unvec(np.array([1, 2, 3, 4]), (2, 2))
    array([[1, 3],
           [2, 4]])
    """
    return np.transpose(np.reshape(x, tuple(shape)[::-1]))


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
        dtypes = [value.dtype for value in held if getattr(value, "dtype", None) is not None]
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
        twin = self.__dict__.get(name)
        if twin is not None:
            return twin
        if self.depth > DEEP:
            for part in parts_of(self):
                part._twin(name, getattr(part, make.__name__))
        back = self.__dict__.get("_back" + name)
        twin = back() if back is not None else None
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
        return add([(self, -1)])

    def __pos__(self):
        return self

    def _plus(self, other, sign):
        if not isinstance(other, Operator) or other.precedence > self.precedence:
            return NotImplemented
        return add([(self, 1), (other, sign)])

    def __mul__(self, scalar):
        if not is_scalar(scalar):
            return NotImplemented
        return scale(scalar, self)

    __rmul__ = __mul__

    def __truediv__(self, scalar):
        if not is_scalar(scalar):
            return NotImplemented
        return self if self.is_zero else Scaled(scalar, self).replace(divided=True)

    def __radd__(self, other):
        return add([(other, 1), (self, 1)]) if isinstance(other, Operator) else NotImplemented

    def __rsub__(self, other):
        return add([(other, 1), (self, -1)]) if isinstance(other, Operator) else NotImplemented

    def __rmatmul__(self, other):
        if isinstance(other, Operator):
            return compose(other, self)
        raise TypeError(
            f"{type(self).__name__}.__rmatmul__: the left factor must be an operator because operators act "
            f"on what stands to their right; got {type(other).__name__}, write fb.Left(A) @ op"
        )

    def _matmul(self, X):
        if isinstance(X, Operator):
            return NotImplemented if X.precedence > self.precedence else compose(self, X)
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
        return "forward" in self.__dict__ and self.shape_in is None and isinstance(X, (list, tuple))

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
        self.__dict__.update(attributes)

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


class ArrayOperator(Operator):
    """The base of operators that hold arrays; the option `conj` says that they act conjugated."""

    options = ("conj",)
    conj = False

    def adjoint(self):
        op = self.transposed()
        return op.replace(conj=not op.conj) if op.is_complex else op

    @property
    def is_complex(self):
        """Whether conjugation changes anything."""
        return any(np.dtype(leaf.dtype).kind in "cO" for leaf in leaves_of(self) if is_array(leaf))

    def held(self, array):
        """A field as it acts: conjugated or not."""
        return array.conj() if self.conj else array

    @property
    def held_name(self):
        """The name of a field as it acts: Bᵀ conjugated is Bᴴ, B is conj(B)."""
        if not self.conj:
            return self.name
        names = self.name.split("⊗")
        return "⊗".join(name[:-1] + "ᴴ" if name.endswith("ᵀ") else f"conj({name})" for name in names)


class Composite(Operator):
    """The base of operators made of operators."""

    def _make(self, made_of, vectors=False, precedence=None, /, **attributes):
        if precedence is None:
            precedence = max((op.precedence for op in made_of), default=0)
        depth = max((op.depth + (type(op) is not type(self)) for op in made_of), default=1)
        self.__dict__.update(attributes, precedence=precedence, depth=depth, vectors=vectors)
        return self

    @classmethod
    def joining(cls, parts, shape_in, shape_out, vectors, precedence):
        """A composite of ``(operator, sign)`` parts, which are flattened when somebody looks.

        So a fold over N operators takes O(N) time, not O(N^2).
        """
        op = cls.__new__(cls)
        return op._make([p for p, _ in parts], vectors, precedence, parts=parts, shape_in=shape_in, shape_out=shape_out)

    def __getattr__(self, name):
        if name not in ("operators", "signs") or "parts" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        operators, signs, stack = [], [], list(reversed(self.__dict__.pop("parts")))
        while stack:
            op, sign = stack.pop()
            if type(op) is not type(self):
                operators.append(op)
                signs.append(sign)
            elif "parts" in op.__dict__:
                stack.extend((part, sign * s) for part, s in reversed(op.parts))
            else:
                operators.extend(op.operators)
                signs.extend(sign * s for s in op.signs)
        self.__dict__.update(operators=tuple(operators), signs=tuple(signs))
        return self.__dict__[name]

    def apply(self, X):
        return evaluate(self, X) if self.depth > DEEP else self._apply(X)

    def shape_of(self, shape):
        if self.vectors and shape is not None and self.shape_in is not None and len(shape) > len(self.shape_in):
            raise ShapeError(
                f"{type(self).__name__}.apply: X must be {text(self.shape_in)} because Left and Right take vectors "
                f"without a stack; got {text(shape)}"
            )
        return super().shape_of(shape) if self.depth > DEEP else self._shape_of(shape)

    @property
    def keeps_shape(self):
        return self.shape_in is None and self.depth <= DEEP and all(op.keeps_shape for op in self.operators)

    def check(self, X):
        if is_array(X):
            return self.shape_of(X.shape)
        return None if self.depth > DEEP else self._check(X)

    @property
    def symbol(self):
        return "…" if self.depth > DEEP else self._symbol()


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


def evaluate(op, X):
    """``op.apply(X)`` of a deep composite, on explicit stacks of operators to do and values done."""
    todo, done = [("apply", op)], [X]
    while todo:
        what, op, *given = todo.pop()
        if what == "apply_to":
            done.append(given[0])
            todo.append(("apply", op))
        elif what == "combine":
            k = len(op.operators)
            terms = done[-k:]
            done[-k:] = [op.combined(terms)]
        elif isinstance(op, Composition):
            todo.extend(("apply", factor) for factor in op.operators)
        elif isinstance(op, (Sum, Scaled)):
            X = done.pop()
            todo.append(("combine", op))
            todo.extend(("apply_to", term, X) for term in reversed(op.operators))
        else:
            done.append(op.apply(done.pop()))
    return done[0]


class Composition(Composite):
    """X -> A_1 (A_2 (... A_k X)): a flat list of operators, applied from the right.

    Cost is the sum of the operators' costs; adjoint ``A_k.H @ ... @ A_1.H``.
    """

    fields = ("operators",)

    def __init__(self, operators, shape_in, shape_out, vectors=False, precedence=None):
        signs = (1,) * len(operators)
        self._make(
            operators, vectors, precedence, operators=operators, signs=signs, shape_in=shape_in, shape_out=shape_out
        )

    def _apply(self, X):
        for op in reversed(self.operators):
            X = op.apply(X)
        return X

    def _shape_of(self, shape):
        given = shape
        try:
            for op in reversed(self.operators):
                shape = op.shape_of(shape)
        except ShapeError as error:
            raise ShapeError(f"{error}, in a composition for X {text(given)}") from None
        return shape

    def _check(self, X):
        shape = self.operators[-1].check(X)
        for op in self.operators[-2::-1]:
            shape = op.shape_of(shape)
        return shape

    def takes(self, X):
        return self.depth <= DEEP and self.operators[-1].takes(X)

    def _reversed(self, operators):
        return Composition(tuple(operators), self.shape_out, self.shape_in, self.vectors, self.precedence)

    def adjoint(self):
        return self._reversed(op.H for op in reversed(self.operators))

    def transposed(self):
        return self._reversed(op.T for op in reversed(self.operators))

    def inverse(self):
        return self._reversed(op.inverse() for op in reversed(self.operators))

    def shapes_at(self, rank):
        if self.shape_in is None or len(self.shape_in) == rank:
            return self.shape_in, self.shape_out
        shape_in = self.operators[-1].shapes_at(rank)[0]
        if shape_in is None or len(shape_in) != rank:
            return self.shape_in, self.shape_out
        try:
            return shape_in, self._shape_of(shape_in) if None not in shape_in else self.shape_out
        except ShapeError:
            return self.shape_in, self.shape_out

    def _symbol(self):
        return " ".join(symbol_in_product(op, i) for i, op in enumerate(self.operators))


def symbol_in_product(op, i):
    """The symbol of factor i, in parentheses where the product would tear it apart."""
    symbol = op.symbol
    torn = isinstance(op, (Sum, Scaled)) and (i > 0 or any(sign in symbol for sign in (" + ", " − ", " / ")))
    return f"({symbol})" if torn else symbol


class Sum(Composite):
    """X -> s_1 A_1 X + ... + s_k A_k X with signs s = 1 or -1: sums, differences and negation.

    Cost is the sum of the operators' costs and one pass a term; adjoint: the sum of the adjoints.
    """

    fields = ("operators",)
    options = ("signs",)
    matrices_only = False  # a zero that was dropped takes no vectors

    def __init__(self, operators, signs, shape_in, shape_out, vectors=False, precedence=None):
        self._make(
            operators, vectors, precedence, operators=operators, signs=signs, shape_in=shape_in, shape_out=shape_out
        )

    def _apply(self, X):
        return self.combined([op.apply(X) for op in self.operators])

    def combined(self, terms):
        """The signed sum of what the operators gave."""
        total = None
        for sign, term in zip(self.signs, terms, strict=True):
            total = (values.add if sign == 1 else values.subtract)(total, term)
        return total

    def _shape_of(self, shape):
        if self.shape_in is not None and shape is not None:
            Operator.shape_of(self, shape)  # zeros are dropped, their shapes are not
        return self._agreed([op.shape_of(shape) for op in self.operators], shape)

    def _check(self, X):
        return self._agreed([op.check(X) for op in self.operators], ())

    def _agreed(self, shapes, given):
        shapes = [shape for shape in shapes if shape is not None]
        if any(shape != shapes[0] for shape in shapes):
            raise ShapeError(
                f"Sum.apply: all terms must give one shape because they are added; got "
                f"{' and '.join(map(text, shapes))} for X {text(given)}"
            )
        return shapes[0] if shapes else None

    def takes(self, X):
        return self.depth <= DEEP and all(op.takes(X) for op in self.operators)

    def _flipped(self, operators):
        flipped = Sum(tuple(operators), self.signs, self.shape_out, self.shape_in, self.vectors, self.precedence)
        flipped._set(matrices_only=self.matrices_only)
        return flipped

    def adjoint(self):
        return self._flipped(op.H for op in self.operators)

    def transposed(self):
        return self._flipped(op.T for op in self.operators)

    def inverse(self):
        if len(self.operators) > 1:
            return super().inverse()
        return self._flipped([self.operators[0].inverse()])

    def shapes_at(self, rank):
        if self.shape_in is None or len(self.shape_in) == rank or self.matrices_only:
            return self.shape_in, self.shape_out
        for op in self.operators:
            shapes = op.shapes_at(rank)
            if shapes[0] is not None and len(shapes[0]) == rank:
                return shapes
        return self.shape_in, self.shape_out

    def _symbol(self):
        text = ""
        for sign, op in zip(self.signs, self.operators, strict=True):
            symbol = op.symbol
            if symbol.startswith("−"):
                sign, symbol = -sign, symbol[1:]
            text += f" {'+' if sign == 1 else '−'} {symbol}"
        return text[3:] if text.startswith(" +") else "−" + text[3:]


class Scaled(Composite):
    """X -> s A X with a number s, or A X / s where divided; adjoint conj(s) A^H; cost: A's and one pass."""

    fields = ("scalar", "operator")
    options = ("divided",)
    divided = False

    def __init__(self, scalar, operator):
        self._make(
            (operator,), operator.vectors, operator.precedence, scalar=scalar, operator=operator,
            shape_in=operator.shape_in, shape_out=operator.shape_out,
        )  # fmt: skip

    @property
    def operators(self):
        return (self.operator,)

    def _apply(self, X):
        return self.combined([self.operator.apply(X)])

    def combined(self, terms):
        """What the operator gave, times or divided by the number."""
        return (values.divide if self.divided else values.scale)(self.scalar, terms[0])

    def _shape_of(self, shape):
        return self.operator.shape_of(shape)

    def _check(self, X):
        return self.operator.check(X)

    def takes(self, X):
        return self.depth <= DEEP and self.operator.takes(X)

    def is_unstacked(self, rank):
        return self.operator.is_unstacked(rank) if self.depth <= DEEP else super().is_unstacked(rank)

    def adjoint(self):
        return Scaled(self.scalar.conjugate(), self.operator.H).replace(divided=self.divided)

    def transposed(self):
        return Scaled(self.scalar, self.operator.T).replace(divided=self.divided)

    def inverse(self):
        if (is_array(self.scalar) or isinstance(self.scalar, numbers.Number)) and self.scalar == 0:
            raise SingularError("Scaled.inv: the scalar must be nonzero because it is divided by; got 0")
        return Scaled(self.scalar, self.operator.inverse()).replace(divided=not self.divided)

    def shapes_at(self, rank):
        return self.operator.shapes_at(rank) if self.depth <= DEEP else (self.shape_in, self.shape_out)

    @property
    def dtype(self):
        inner, scalar = self.operator.dtype, self.scalar
        if is_array(scalar):
            return scalar.dtype if inner is None else np.result_type(inner, scalar.dtype)
        if not isinstance(scalar, (int, float, complex)):
            return np.dtype(object)  # Fraction, Decimal, symbols
        if inner is None:  # Python's numbers adapt to what they multiply
            return np.dtype(complex) if isinstance(scalar, complex) else None
        return np.result_type(inner, scalar)

    def _symbol(self):
        scalar, inner = number(self.scalar), self.operator.symbol
        if inner == "I" and not self.divided:
            return scalar
        if " " in scalar or (self.divided and "/" in scalar):
            scalar = f"({scalar})"
        if isinstance(self.operator, Sum):
            inner = f"({inner})"
        if self.divided:
            return f"1/{scalar}" if inner == "I" else f"{inner} / {scalar}"
        return f"{scalar} {inner}"


def number(scalar):
    """A number as symbols write it: four digits, and a minus sign as wide as the plus."""
    if isinstance(scalar, np.ndarray):
        scalar = scalar[()]
    if isinstance(scalar, (float, np.floating)):
        return f"{scalar:.4g}".replace("-", "−")
    if isinstance(scalar, (complex, np.complexfloating)):
        return f"({scalar:.4g})".replace("-", "−")
    return str(scalar).replace("-", "−")


def compose(outer, inner):
    """``outer @ inner`` as one flat list; neighbours that collapse do so where the two lists meet."""
    if outer.is_identity or inner.is_identity:
        return inner if outer.is_identity else outer
    shape_in, shape_out, lowered = link(outer, inner)
    if outer.is_zero or inner.is_zero:
        zero = outer if outer.is_zero else inner
        return zero.replace(shape_in=shape_in, shape_out=shape_out)
    vectors, precedence = lowered or outer.vectors or inner.vectors, max(outer.precedence, inner.precedence)
    joint = end_of(outer, -1).joined(end_of(inner, 0))
    if joint is None:
        return Composition.joining([(outer, 1), (inner, 1)], shape_in, shape_out, vectors, precedence)
    left, right = factors(outer)[:-1], factors(inner)[1:]
    while left and (further := left[-1].joined(joint)) is not None:
        left, joint = left[:-1], further
    operators = (*left, joint, *right)
    return joint if len(operators) == 1 else Composition(operators, shape_in, shape_out, vectors, precedence)


def end_of(op, end):
    """The first (0) or last (-1) factor of a composition."""
    while isinstance(op, Composition):
        op = op.parts[end][0] if "parts" in op.__dict__ else op.operators[end]
    return op


def factors(op):
    return op.operators if isinstance(op, Composition) else (op,)


def add(terms):
    """The sum of sign * operator as one flat list; zeros are dropped, their shapes kept."""
    shapes, lowered = (None, None), False
    rank = min((len(op.shape_in) for op, _ in terms if op.shape_in is not None), default=None)
    for op, _ in terms:
        own = (op.shape_in, op.shape_out) if rank is None else op.shapes_at(rank)
        lowered = lowered or (own[0] is not None and len(own[0]) < len(op.shape_in))
        shapes = tuple(common(a, b, op) for a, b in zip(shapes, own, strict=True))
    if any(op.shape_out is None and (op.is_zero or op.is_identity) for op, _ in terms) and None not in shapes:
        common(*shapes, terms[0][0])  # these map every shape to itself
    kept = [(op, sign) for op, sign in terms if not op.is_zero]
    if not kept:
        return terms[0][0].replace(shape_in=shapes[0], shape_out=shapes[1])
    if len(kept) == 1 and kept[0][1] == 1 and (kept[0][0].shape_in, kept[0][0].shape_out) == shapes:
        return kept[0][0]
    if len(kept) == 1 and kept[0][1] == -1 and isinstance(kept[0][0], Sum) and kept[0][0].signs == (-1,):
        return kept[0][0].operators[0]  # -(-A) is A
    vectors = lowered or any(op.vectors for op, _ in terms)
    total = Sum.joining(kept, *shapes, vectors, max(op.precedence for op, _ in terms))
    total._set(matrices_only=any(is_matrices_only(op) for op, _ in terms))
    return total


def is_matrices_only(op):
    """Whether a term takes matrices and no vectors, and would be forgotten in a sum."""
    return getattr(op, "matrices_only", False) or (
        op.is_zero and op.shape_in is not None and len(op.shape_in) == 2 and len(op.shapes_at(1)[0]) == 2
    )


def common(a, b, op):
    if a is None or b is None:
        return b if a is None else a
    try:
        return unify(a, b)
    except ShapeError:
        raise ShapeError(
            f"Operator.__add__: {type(op).__name__} must map like the other terms because results are added; "
            f"got {text(a)} and {text(b)}"
        ) from None


def scale(scalar, op):
    """``scalar * op``; numbers in front of numbers are multiplied."""
    if isinstance(scalar, np.ndarray):
        scalar = scalar[()]  # 0-d arrays are numbers
    if op.is_zero:
        return op
    if isinstance(op, Scaled) and not op.divided:
        scalar, op = scalar * op.scalar, op.operator
    return Scaled(scalar, op)
