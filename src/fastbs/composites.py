"""What operators are closed under: compositions, sums, and multiples, all flat and of any depth.

These are operators made of operators. `Operator` reaches them through its attribute `closure`, which is set here.
"""

import numbers
from typing import NamedTuple

import numpy as np

from . import values
from .arguments import is_array
from .errors import ShapeError, SingularError, StructureError
from .operator import DEEP, Operator
from .shapes import link, text, unify

__all__ = ["Composition", "Scaled", "Sum", "add", "compose", "scale"]


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
        reads = next((op for op in reversed(self.operators) if not op.keeps_shape), self.operators[-1])
        shape_in = reads.shapes_at(rank)[0]
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
            raise StructureError(
                f"Sum.inv: no inverse is known of {self} because its {len(self.operators)} terms share no factors; "
                f"KroneckerSum(A, B, ...) has one, and SciPy's iterative solvers take as_scipy()"
            )
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


def divide(scalar, op):
    """``op / scalar``"""
    return Scaled(scalar, op).replace(divided=True)


class Closure(NamedTuple):
    """What `Operator` does with ``@``, ``+`` and ``*``."""

    compose: object
    add: object
    scale: object
    divide: object


Operator.closure = Closure(compose, add, scale, divide)
