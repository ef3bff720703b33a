"""Bidiagonal block matrices: chains."""

from ..errors import ShapeError
from ..list_stack import ListStack, is_listed
from ..stack import Stack
from .matrix import BlockMatrix
from .triangular import Triangular, check_uplo

__all__ = ["Bidiagonal"]


class Bidiagonal(Triangular, structure=True):
    """A square block matrix with a diagonal and one neighbour of it.

    Parameters
    ----------
    diag : sequence of n blocks
        Of None alone for a strictly triangular matrix, such as L of a chain.
    off : sequence of n - 1 blocks
        ``off[i]`` is block (i + 1, i) if lower, (i, i + 1) if upper.
    uplo : {"L", "U"}

    Solve     one product and one solve a row
    Raises    ShapeError if the lengths do not fit

    Examples
    --------
    >>> import fastbs as fb
    >>> fb.Bidiagonal([1, 1, 1], [-2, -3], uplo="L").solve([1.0, 0.0, 0.0])
    [1.0, 2.0, 6.0]
    """

    def __init__(self, diag, off, uplo="L"):
        check_uplo(uplo, "Bidiagonal")
        diag, off = list(diag), list(off)
        if len(off) != max(len(diag) - 1, 0):
            raise ShapeError(
                f"Bidiagonal: off must have {max(len(diag) - 1, 0)} blocks because diag has {len(diag)}; got {len(off)}"
            )
        blocks = {(i, i): block for i, block in enumerate(diag)}
        for i, block in enumerate(off):
            blocks[(i + 1, i) if uplo == "L" else (i, i + 1)] = block
        BlockMatrix._fill(self, (len(diag), len(diag)), blocks)

    @classmethod
    def from_arrays(cls, diag, off, uplo="L", diagonal="general"):
        """A bidiagonal matrix whose blocks stand in arrays, solved and multiplied in compiled kernels.

        Parameters
        ----------
        diag : (..., N, m, m) array, or None for the identity
            Leading axes are a batch of systems. Float32, float64, complex64 or complex128 in any memory order; kept by
            reference. May be traced, as `off` and right sides may. Where block sizes vary, a list of matrices.
        off : (..., N - 1, m, m) array
            ``off[i]`` is block (i + 1, i) if lower, (i, i + 1) if upper. Where block sizes vary, a list of matrices,
            ``off[i]`` with the rows of its block row and the columns of its block column.
        uplo : {"L", "U"}
        diagonal : {"general", "lower", "upper", "spd"}
            What the diagonal blocks are: solved with LU factors, by substitution with one of their triangles (the other
            is not read), or with Cholesky factors of their lower triangles. Products read all of a block, so
            blocks that are "spd" must be Hermitian.

        Returns
        -------
        Bidiagonal
            ``A.solve(b)`` and ``A @ b`` take arrays (..., N m), (..., N, m), (..., N m, r) or (..., N, m, r) in any
            order and give the same; lists of N entries as other block matrices do. Where block sizes vary these are
            (M,) and (M, r) with M rows altogether, and lists.

        Raises
        ------
        ShapeError, DtypeError, StructureError
            Of the arguments. `solve` raises SingularError, which names the block.

        Notes
        -----
        A solve costs 3 N m^2 r flops with triangles, 4 N m^2 r with kept factors; factors of general blocks, 2/3 N m^3
        flops, are taken at each call, some blocks at a time; `factorize` keeps them. Nothing but the result is
        allocated. Blocks of many sizes are solved with one by one, at a few microseconds each. Source: Golub and Van
        Loan, Matrix Computations, section 3.1, by blocks.

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> A = fb.Bidiagonal.from_arrays(np.full((3, 1, 1), 2.0), np.full((2, 1, 1), -1.0))
        >>> A.solve(np.array([2.0, 0.0, 0.0]))
        array([1.  , 0.5 , 0.25])
        >>> A.H.solve(np.array([0.0, 0.0, 2.0]))
        array([0.25, 0.5 , 1.  ])
        >>> A = fb.Bidiagonal.from_arrays([np.eye(1), np.eye(2)], [np.ones((2, 1))])
        >>> A.solve(np.array([1.0, 2.0, 3.0]))
        array([1., 1., 2.])
        """
        check_uplo(uplo, "Bidiagonal.from_arrays")
        if is_listed(diag, off):
            return cls.from_stack(ListStack.of_lists(diag, off, uplo == "U", diagonal, "Bidiagonal"))
        return cls.from_stack(Stack.of_arrays(diag, off, uplo == "U", diagonal, "Bidiagonal"))

    @classmethod
    def from_scipy(cls, A, diagonal="general", block=None):
        """A bidiagonal matrix from a SciPy sparse array, its blocks copied into arrays.

        Parameters
        ----------
        A : (N m, N m) sparse array or matrix of any format, such as BSR or DIA
        diagonal
            As in `from_arrays`.
        block : int, optional
            m; without it that of a BSR array, or what SciPy guesses.

        Raises
        ------
        StructureError
            If a block stands elsewhere, with its (i, j).

        Examples
        --------
        >>> import numpy as np, fastbs as fb
        >>> A = fb.Bidiagonal.from_arrays(np.full((3, 1, 1), 2.0), np.full((2, 1, 1), -1.0))
        >>> A.to_scipy().toarray()
        array([[ 2.,  0.,  0.],
               [-1.,  2.,  0.],
               [ 0., -1.,  2.]])
        >>> fb.Bidiagonal.from_scipy(A.to_scipy()).solve(np.array([2.0, 0.0, 0.0]))
        array([1.  , 0.5 , 0.25])
        """
        from ..interop.bsr import block_diagonals, blocks_of, uplo_of  # a bridge: SciPy's sparse package is slow

        A = blocks_of(A, block, f"{cls.__name__}.from_scipy")
        uplo = uplo_of(A)
        diag, off = block_diagonals(A, (0, 1 if uplo == "U" else -1), f"{cls.__name__}.from_scipy", "one neighbour")
        return cls.from_arrays(diag, off, uplo, diagonal)

    @classmethod
    def holds(cls, positions):
        return all(i - j in (0, 1) for i, j in positions) or all(j - i in (0, 1) for i, j in positions)
