"""X -> B X A^T, and the same for any number of factors."""

import math

import numpy as np

from .._kronecker import apply_chain
from ..arguments import as_matrix, is_sparse
from ..errors import ShapeError
from .arrayoperator import ArrayOperator
from .matrix import FactoredInverse, along_axis, factored, inverse_name, transposed_name

__all__ = ["Kronecker"]


class Kronecker(ArrayOperator):
    """X -> B X A^T; its matrix on ``vec(X)`` is kron(A, B).

    Parameters
    ----------
    A : (q, n) array, kept by reference
    B : (p, m) array, kept by reference
    *more : matrices
        ``Kronecker(A_1, ..., A_k)`` agrees with numpy.kron of its factors; it acts on arrays with k axes, in
        the reverse order of the factors.
    symbol : str, optional
        How pictures name the product.

    Maps      (m, n) -> (p, q)
    Adjoint   Y -> B^H Y conj(A), again a Kronecker
    Inverse   Kronecker(A^-1, B^-1), each by LU or triangular solves
    Cost      the cheaper of (B X) A^T and B (X A^T), 2 p n (m + q) or 2 m q (n + p) flops; one scratch block.
              Three and more factors: the most shrinking first, small neighbours joined, several modes at once
              in the cache; scratch is two intermediates of one X
    Raises    ShapeError if X is not (m, n)
    Source    paper, section 2; vec(B X A^T) = kron(A, B) vec(X)

    ``Kronecker(A, B) @ Kronecker(C, D)`` is ``Kronecker(A @ C, B @ D)``, formed at once, unless that is the
    larger.

    Examples
    --------
    >>> import numpy as np, fastbs as fb
    >>> A, B, X = np.ones((1, 3)), np.eye(2), np.ones((2, 3))
    >>> fb.Kronecker(A, B) @ X
    array([[3.],
           [3.]])
    """

    fields = ("factors",)

    def __init__(self, *factors, symbol=None):
        if not factors:
            raise TypeError("Kronecker: at least one factor must be given because the product acts on them; got none")
        factors = tuple(as_matrix(A, f"Kronecker: factor {i}") for i, A in enumerate(factors))
        self._hold(factors, symbol or "⊗".join("ABCDEFGH"[i % 8] for i in range(len(factors))))

    def _hold(self, factors, name):
        self._set(
            factors=factors,
            name=name,
            shape_in=tuple(A.shape[1] for A in reversed(factors)),
            shape_out=tuple(A.shape[0] for A in reversed(factors)),
        )
        return self

    def apply(self, X):
        Y = apply_chain(self.factors, X, self.conj) if len(self.factors) > 2 else None
        if Y is not None:
            return Y
        stack = X.shape[: X.ndim - len(self.factors)]
        for i in self._order():
            X = along_axis(self.held(self.factors[i]), X, i, len(stack))
        return X

    def _find_tape(self, X, out):
        chained = out is None and len(self.factors) > 2 and X.dtype.char in "fdFD"
        return None if chained and X.dtype == self.factors[0].dtype else super()._find_tape(X, out)

    def _matmul(self, X):
        Y = apply_chain(self.factors, X, self.conj) if len(self.factors) > 2 else None
        return super()._matmul(X) if Y is None else Y

    def _order(self):
        """The order of least flops: a factor (p, n) before those with a smaller 1/p - 1/n.

        Applying i before j costs less exactly if 1/p_i - 1/n_i > 1/p_j - 1/n_j; compare the two orders.
        """

        def key(i):
            p, n = self.factors[i].shape
            return -math.inf if p == 0 else math.inf if n == 0 else 1 / n - 1 / p

        return sorted(range(len(self.factors)), key=key)

    def transposed(self):
        return self.replace()._hold(tuple(A.T for A in self.factors), derived(transposed_name, self.name))

    def inverse(self):
        inverses = tuple(factored(A, f"Kronecker.inv: factor {i}") for i, A in enumerate(self.factors))
        return self.replace()._hold(inverses, derived(inverse_name, self.name))

    def logdet(self):
        """(sign, log|det|), as `numpy.linalg.slogdet`: det A_i to the power N / n_i each, for an N x N product.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> sign, log = fb.Kronecker(np.diag([1.0, 2.0]), np.diag([1.0, 3.0, 1.0])).logdet()
        >>> sign, np.exp(log).round(12)  # 2^3 3^2
        (np.float64(1.0), np.float64(72.0))
        """
        N, sign, log = math.prod(A.shape[0] for A in self.factors), 1.0, 0.0
        for i, A in enumerate(self.factors):
            if A.shape[0] != A.shape[1]:
                raise ShapeError(
                    f"Kronecker.logdet: factor {i} must be square because it has a determinant; got {tuple(A.shape)}"
                )
            part = A.original if isinstance(A, FactoredInverse) else A
            s, logarithm = np.linalg.slogdet(self.held(part.toarray() if is_sparse(part) else part))
            power = N // A.shape[0] if N else 0
            sign = sign * (s.conj() if part is not A else s) ** power
            log += power * (-logarithm if part is not A else logarithm)
        return np.float64(sign) if np.isrealobj(sign) else sign, np.float64(log)

    def joined(self, inner):
        if not isinstance(inner, Kronecker) or len(inner.factors) != len(self.factors):
            return None
        pairs = list(zip(self.factors, inner.factors, strict=True))
        if not all(isinstance(A, np.ndarray) for pair in pairs for A in pair):
            return None
        if sum(A.shape[0] * C.shape[1] for A, C in pairs) > sum(A.size + C.size for A, C in pairs):
            return None
        return Kronecker(*(self.held(A) @ inner.held(C) for A, C in pairs))

    def _because(self):
        return f"the factors are {', '.join(str(tuple(A.shape)) for A in self.factors)}"

    @property
    def symbol(self):
        return self.held_name


def derived(rule, name):
    """``(A⊗B)ᵀ`` is ``Aᵀ⊗Bᵀ``, and so for the inverse."""
    return "⊗".join(rule(factor.strip()) for factor in name.split("⊗"))
