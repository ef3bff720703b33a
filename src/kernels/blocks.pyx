"""Bidiagonal and diagonal systems of small dense blocks in arrays: `Sweep` solves and multiplies as often as one likes.

The arrays are used in place, whatever their strides. Long sweeps look for Ctrl-C.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cimport numpy as cnp

from .errors import SingularError

cnp.import_array()

cdef extern from "blocks.h" nogil:
    ctypedef struct fb_blocks:
        const void *a
        int64_t step, rs, cs
    ctypedef struct fb_columns:
        void *a
        int64_t step, rs, cs
    ctypedef struct fb_system:
        int64_t n, m, r
        int diagonal, conj_d, conj_o
        fb_blocks d, o
        const int32_t *pivots
        int64_t pivot_step
        fb_columns b, x
    ctypedef struct fb_lanes:
        int64_t d, o, b, x, pivots
    ctypedef struct fb_block_kernels:
        int64_t (*solve)(const fb_system *, int64_t, int64_t, void *) noexcept nogil
        int64_t (*solve_many)(const fb_system *, const fb_lanes *, int64_t, int64_t, void *) noexcept nogil
        void (*multiply)(const fb_system *, int64_t, int64_t, void *) noexcept nogil
        int64_t (*lu)(int64_t, const void *, int64_t, int64_t, void *, int32_t *) noexcept nogil
        int64_t (*cholesky)(int64_t, const void *, int64_t, int64_t, void *, void *) noexcept nogil
    enum: FB_UNIT, FB_LOWER, FB_UPPER, FB_LU, FB_LU_TRANSPOSED, FB_CHOLESKY, FB_INVERSE
    const fb_block_kernels *fb_choose_blocks(int element)
    size_t fb_workspace(int64_t m)

# What the diagonal blocks are: the kinds of the kernels, and blocks that are factorized on the way.
UNIT, LOWER, UPPER, LU, LU_TRANSPOSED, CHOLESKY, INVERSE, GENERAL, SPD = range(9)
cdef enum: general = 7, spd = 8

# Below this many multiplications (about 5 us) a sweep keeps the GIL.
cdef double SMALL = 10_000
# Multiplications between two looks for Ctrl-C.
cdef double BUDGET = 1e8
# Bytes of factors that are made and used at once.
cdef int64_t SCRATCH = 65536

# Tests: the allocation fails that comes after this many more; negative is never. And the blocks of memory in use.
cdef int64_t allocations_left = -1, in_use = 0


def fail_allocation(count):
    """Tests: let the allocation fail that comes after `count` more; None for never."""
    global allocations_left
    allocations_left = -1 if count is None else count


def allocated():
    """Tests: the blocks of memory in use."""
    return in_use


cdef void *allocate(size_t size) except NULL:
    global allocations_left, in_use
    cdef void *block = NULL
    if allocations_left != 0:
        block = malloc(size)
    if allocations_left >= 0:
        allocations_left -= 1
    if block == NULL:
        raise MemoryError(f"solve: no memory for a workspace of {size} bytes")
    in_use += 1
    return block


cdef void release(void *block) noexcept:
    global in_use
    in_use -= block != NULL
    free(block)


cdef inline void *aligned(void *block) noexcept nogil:
    return <void *> ((<uintptr_t> block + 63) & ~<uintptr_t> 63)


cdef inline int element_of(cnp.ndarray x) noexcept:
    cdef int typenum = cnp.PyArray_TYPE(x)
    if typenum == cnp.NPY_DOUBLE:
        return 1
    if typenum == cnp.NPY_FLOAT:
        return 0
    return 2 if typenum == cnp.NPY_CFLOAT else 3 if typenum == cnp.NPY_CDOUBLE else -1


cdef inline bint is_plain(cnp.ndarray x) noexcept:
    """Whether kernels can follow the strides of x."""
    cdef int a
    cdef cnp.npy_intp size = cnp.PyArray_ITEMSIZE(x)
    if not cnp.PyArray_ISBEHAVED_RO(x):
        return False
    for a in range(cnp.PyArray_NDIM(x)):
        if cnp.PyArray_STRIDE(x, a) % size:
            return False
    return True


cdef class Sweep:
    """One stack of systems: n block rows of m rows each, a diagonal and one neighbour of it.

    Parameters
    ----------
    kind : int
        What the diagonal blocks are.
    diag : (batch, n, m, m) array or None
        The blocks, or what is kept of them.
    off : (batch, n - 1, m, m) array of the same dtype, or None for a diagonal matrix
    pivots : (batch, n, m) int32 array or None
    n, m, batch : int
    axes : int
        How many leading axes right sides have, with `batch` places.
    dtype : numpy.dtype
    upper : bool
    conj_d, conj_o : bool
        Whether the blocks act conjugated.
    where : str
        How messages name the call.
    """

    cdef readonly object diag, off, pivots, dtype, where
    cdef readonly int kind, axes
    cdef readonly bint upper
    cdef readonly int64_t n, m, batch
    cdef fb_system system
    cdef fb_lanes lanes
    cdef const fb_block_kernels *kernels
    cdef int typenum
    cdef int64_t size

    def __init__(self, kind, diag, off, pivots, n, m, batch, axes, dtype, upper, conj_d, conj_o,
                 where):
        cdef cnp.ndarray empty
        self.kind, self.diag, self.off, self.pivots, self.dtype, self.where = kind, diag, off, pivots, dtype, where
        self.n, self.m, self.batch, self.axes, self.upper = n, m, batch, axes, upper
        empty = cnp.PyArray_SimpleNew(1, [0], (<cnp.dtype> dtype).num)
        self.kernels, self.typenum = fb_choose_blocks(element_of(empty)), cnp.PyArray_TYPE(empty)
        self.size = cnp.PyArray_ITEMSIZE(empty)
        self.system.n, self.system.m = n, m
        self.system.diagonal = FB_LU if kind == general else FB_CHOLESKY if kind == spd else kind
        self.system.conj_d, self.system.conj_o = conj_d, conj_o
        self.system.d.a = self.system.o.a = NULL
        self.system.pivots = NULL
        self.system.d.step = self.system.o.step = self.system.pivot_step = 0
        self.lanes.d = self.lanes.o = self.lanes.pivots = 0
        if diag is not None:
            self.set_blocks(&self.system.d, &self.lanes.d, diag)
        if off is not None and n > 1:
            self.set_blocks(&self.system.o, &self.lanes.o, off)
        if pivots is not None:
            self.system.pivot_step = -self.m if upper else self.m
            self.lanes.pivots = self.n * self.m
            self.system.pivots = (<const int32_t *> cnp.PyArray_DATA(<cnp.ndarray> pivots)
                                  + (self.m * max(self.n - 1, 0) if upper else 0))

    cdef void set_blocks(self, fb_blocks *blocks, int64_t *lane, cnp.ndarray a) noexcept:
        cdef int64_t count = cnp.PyArray_DIM(a, 1), size = self.size
        blocks.a = cnp.PyArray_DATA(a)
        lane[0] = cnp.PyArray_STRIDE(a, 0) // size
        blocks.step = cnp.PyArray_STRIDE(a, 1) // size
        blocks.rs = cnp.PyArray_STRIDE(a, 2) // size
        blocks.cs = cnp.PyArray_STRIDE(a, 3) // size
        if self.upper and count:
            blocks.a = <const char *> blocks.a + (count - 1) * blocks.step * size
            blocks.step = -blocks.step

    cdef bint set_columns(self, fb_columns *columns, int64_t *lane, int64_t *r, cnp.ndarray x):
        """Describe an array of right sides; whether its shape and strides are understood."""
        cdef int k = self.axes, ndim = cnp.PyArray_NDIM(x), a
        cdef cnp.npy_intp *dims = cnp.PyArray_DIMS(x)
        cdef cnp.npy_intp *strides = cnp.PyArray_STRIDES(x)
        cdef int64_t size = self.size, n = self.n, m = self.m, places = 1
        lane[0] = 0
        for a in range(k - 1, -1, -1):
            if dims[a] != 1 and places == 1:
                lane[0] = strides[a] // size
            elif dims[a] != 1 and strides[a] != lane[0] * size * places:
                return False
            places *= dims[a]
        if places != self.batch:
            return False
        r[0] = 1
        columns.cs = 1
        columns.a = cnp.PyArray_DATA(x)
        if ndim == k + 2 and dims[k] == n and dims[k + 1] == m:
            columns.step, columns.rs = strides[k] // size, strides[k + 1] // size
        elif ndim == k + 3 and dims[k] == n and dims[k + 1] == m:
            columns.step, columns.rs = strides[k] // size, strides[k + 1] // size
            columns.cs, r[0] = strides[k + 2] // size, dims[k + 2]
        elif (ndim == k + 1 or ndim == k + 2) and dims[k] == n * m:
            columns.step, columns.rs = m * (strides[k] // size), strides[k] // size
            if ndim == k + 2:
                columns.cs, r[0] = strides[k + 1] // size, dims[k + 1]
        else:
            return False
        if self.upper and n:
            columns.a = <char *> columns.a + (n - 1) * columns.step * size
            columns.step = -columns.step
        return True

    def run(self, b, out=None, bint multiply=False):
        """A^-1 b, or A b; None where `b` or `out` is not what the kernels take as it is.

        Parameters
        ----------
        b : (..., n m), (..., n, m), (..., n m, r) or (..., n, m, r) array of the dtype
        out : array of the same shape, apart from b; or b itself for a solve
        """
        cdef cnp.ndarray given, result
        cdef fb_system A
        cdef fb_lanes lanes
        cdef int64_t r
        if not cnp.PyArray_CheckExact(b) or cnp.PyArray_TYPE(<cnp.ndarray> b) != self.typenum:
            return None
        given = <cnp.ndarray> b
        A, lanes = self.system, self.lanes
        if not is_plain(given) or not self.set_columns(&A.b, &lanes.b, &r, given):
            return None
        if out is None:
            result = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(given), cnp.PyArray_DIMS(given), self.typenum,
                                       cnp.PyArray_IS_F_CONTIGUOUS(given) and not cnp.PyArray_IS_C_CONTIGUOUS(given))
        elif out is b and not multiply:
            result = given
            if not cnp.PyArray_ISWRITEABLE(given) or overlaps_itself(given):
                return None
        else:
            if not cnp.PyArray_CheckExact(out) or cnp.PyArray_TYPE(<cnp.ndarray> out) != self.typenum:
                return None
            result = <cnp.ndarray> out
            if not cnp.PyArray_SAMESHAPE(given, result) or not is_plain(result):
                return None
            if not cnp.PyArray_ISWRITEABLE(result) or may_overlap(given, result) or overlaps_itself(result):
                return None
        if not self.set_columns(&A.x, &lanes.x, &r, result):
            return None
        A.r = r
        if multiply and self.kind >= general:
            A.diagonal = FB_INVERSE
        if self.n and self.m and r and self.batch:
            self.sweep(&A, &lanes, multiply)
        return result

    cdef int sweep(self, fb_system *A, fb_lanes *lanes, bint multiply) except -1:
        cdef double work = <double> self.m * self.m * A.r * 2 + 4 * self.m * A.r + 4
        cdef int64_t at = 0, step, s, singular = 0
        cdef char local[3 * 128 * 17 + 64]
        cdef void *block = NULL
        cdef void *space = local
        cdef fb_system own
        if self.m > 16:
            block = allocate(fb_workspace(self.m) + 64)
            space = block
        space = aligned(space)
        try:
            if self.kind < general and not multiply and self.batch > 1:
                step = max(16, <int64_t> (BUDGET / (work * self.n)) // 16 * 16)
                while at < self.batch:
                    s = min(self.batch, at + step)
                    with nogil:
                        singular = self.kernels.solve_many(A, lanes, at, s, space)
                    if singular:
                        self.refuse((singular - 1) // self.n, (singular - 1) % self.n)
                    at = s
                    if at < self.batch:
                        PyErr_CheckSignals()
                return 0
            if self.batch == 1:  # without a copy of what has just been written in pieces
                singular = self.sweep_one(A, multiply, space, work)
                if singular:
                    self.refuse(0, singular - 1)
                return 0
            for s in range(self.batch):
                own = A[0]
                own.d.a = <const char *> A.d.a + s * lanes.d * self.size
                own.o.a = NULL if A.o.a == NULL else <const char *> A.o.a + s * lanes.o * self.size
                own.b.a = <char *> A.b.a + s * lanes.b * self.size
                own.x.a = <char *> A.x.a + s * lanes.x * self.size
                if A.pivots != NULL:
                    own.pivots = A.pivots + s * lanes.pivots
                singular = self.sweep_one(&own, multiply, space, work)
                if singular:
                    self.refuse(s, singular - 1)
        finally:
            release(block)
        return 0

    cdef int64_t sweep_one(self, fb_system *A, bint multiply, void *space, double work) except -1:
        cdef const fb_block_kernels *kernels = self.kernels
        cdef int64_t at = 0, stop, step, n = self.n, singular = 0
        if self.kind >= general and not multiply:
            return self.factor_and_solve(A, space)
        if work * n < SMALL:
            if not multiply:
                return kernels.solve(A, 0, n, space)
            kernels.multiply(A, 0, n, space)
            return 0
        step = max(1, <int64_t> min(BUDGET / work, <double> n))
        while at < n and not singular:
            stop = min(n, at + step)
            with nogil:
                if multiply:
                    kernels.multiply(A, at, stop, space)
                else:
                    singular = kernels.solve(A, at, stop, space)
            at = stop
            if at < n:
                PyErr_CheckSignals()
        return singular

    cdef int64_t factor_and_solve(self, fb_system *A, void *space) except -1:
        """Blocks are factorized into a workspace, some at a time, and solved with."""
        cdef const fb_block_kernels *kernels = self.kernels
        cdef int64_t m = self.m, n = self.n, size = self.size, at = 0, stop, k, singular = 0
        cdef int64_t run = max(1, min(n, SCRATCH // (m * m * size)))
        cdef char *factors = <char *> allocate(run * (m * m * size + m * 4))
        cdef int32_t *pivots = <int32_t *> (factors + run * m * m * size)
        cdef fb_system own = A[0]
        cdef const char *d
        own.d.step, own.d.rs, own.d.cs = m * m, m, 1
        own.pivot_step = m
        try:
            while at < n and not singular:
                stop = min(n, at + run)
                with nogil:
                    for k in range(at, stop):
                        d = <const char *> A.d.a + k * A.d.step * size
                        if self.kind == general:
                            singular = kernels.lu(m, d, A.d.rs, A.d.cs, factors + (k - at) * m * m * size,
                                                  pivots + (k - at) * m)
                        else:
                            singular = kernels.cholesky(m, d, A.d.rs, A.d.cs, factors + (k - at) * m * m * size, space)
                        if singular:
                            singular = k + 1
                            break
                    if not singular:
                        own.d.a = factors - at * m * m * size  # the sweep counts from block 0
                        own.pivots = pivots - at * m
                        singular = kernels.solve(&own, at, stop, space)
                at = stop
                if n > run:
                    PyErr_CheckSignals()
        finally:
            release(factors)
        return singular

    cdef int refuse(self, int64_t s, int64_t position) except -1:
        """Raise the error of a singular block, which is named."""
        i = self.n - 1 - position if self.upper else position
        system = f" of system {s}" if self.axes else ""
        if self.kind == spd:
            raise SingularError(
                f"{self.where}: block ({i}, {i}){system} must be positive definite because its Cholesky factor is "
                f"taken; got a pivot that is not positive"
            )
        raise SingularError(
            f"{self.where}: block ({i}, {i}){system} must be nonsingular because it is solved with; got a zero pivot"
        )

    def factor(self, cnp.ndarray factors, cnp.ndarray pivots):
        """Fill (batch, n, m, m) with the factors of general or positive definite blocks, (batch, n, m) with pivots."""
        cdef const fb_block_kernels *kernels = self.kernels
        cdef int64_t m = self.m, n = self.n, size = self.size, s, k, place, singular = 0
        cdef char *f = cnp.PyArray_BYTES(factors)
        cdef int32_t *p = <int32_t *> cnp.PyArray_DATA(pivots) if self.kind == general else NULL
        cdef const char *d
        cdef void *space
        if not m or not n or not self.batch:
            return
        space = allocate(fb_workspace(m))
        try:
            for s in range(self.batch):
                with nogil:
                    for k in range(n):
                        place = s * n + (n - 1 - k if self.upper else k)
                        d = <const char *> self.system.d.a + (s * self.lanes.d + k * self.system.d.step) * size
                        if self.kind == general:
                            singular = kernels.lu(m, d, self.system.d.rs, self.system.d.cs, f + place * m * m * size,
                                                  p + place * m)
                        else:
                            singular = kernels.cholesky(m, d, self.system.d.rs, self.system.d.cs,
                                                        f + place * m * m * size, space)
                        if singular:
                            singular = k + 1
                            break
                if singular:
                    self.refuse(s, singular - 1)
                PyErr_CheckSignals()
        finally:
            release(space)


cdef bint overlaps_itself(cnp.ndarray x) noexcept:
    """Whether axes reach into one another: from the smallest stride on, each must pass what the ones before reach."""
    cdef int a, least, ndim = cnp.PyArray_NDIM(x)
    cdef cnp.npy_intp step, n, before = -1, reach = cnp.PyArray_ITEMSIZE(x), smallest
    if cnp.PyArray_IS_C_CONTIGUOUS(x):
        return False
    for _ in range(ndim):
        least = -1
        smallest = 0
        for a in range(ndim):
            step, n = abs(cnp.PyArray_STRIDE(x, a)), cnp.PyArray_DIM(x, a)
            if n != 1 and step > before and (least < 0 or step < smallest):
                least, smallest = a, step
            elif n != 1 and least >= 0 and step == smallest:
                return True
        if least < 0:
            return False
        if smallest < reach:
            return True
        reach += (cnp.PyArray_DIM(x, least) - 1) * smallest
        before = smallest
    return False


cdef bint may_overlap(cnp.ndarray x, cnp.ndarray y) noexcept:
    """Whether the ranges of memory from the first to the last element meet."""
    cdef char *low[2]
    cdef char *high[2]
    cdef cnp.ndarray array
    cdef int a, i
    cdef cnp.npy_intp reach
    for i in range(2):
        array = x if i == 0 else y
        low[i] = high[i] = cnp.PyArray_BYTES(array)
        for a in range(cnp.PyArray_NDIM(array)):
            if cnp.PyArray_DIM(array, a) == 0:
                return False
            reach = (cnp.PyArray_DIM(array, a) - 1) * cnp.PyArray_STRIDE(array, a)
            if reach > 0:
                high[i] += reach
            else:
                low[i] += reach
        high[i] += cnp.PyArray_ITEMSIZE(array)
    return low[0] < high[1] and low[1] < high[0]


include "sparse_blocks.pxi"
include "tridiagonal_blocks.pxi"
