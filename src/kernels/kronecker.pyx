"""Kronecker chains: every axis of an array times a matrix of its own, in one call."""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from scipy.linalg.cython_blas cimport cgemm, dgemm, sgemm, zgemm

cimport numpy as cnp

cnp.import_array()

cdef extern from "chain.h" nogil:
    enum: FB_MODES, FB_JOINED
    ctypedef struct fb_mode:
        int64_t m, n, rs, cs
        const void *a
    ctypedef void (*fb_gemm)(char *, char *, int *, int *, int *, void *, void *, int *, void *, int *, void *, void *,
                             int *)
    ctypedef struct fb_chain:
        int modes, pairs
        fb_mode mode[FB_MODES]
        fb_gemm gemm
    ctypedef struct fb_chain_kernels:
        void (*pack)(fb_chain *, void *) noexcept nogil
        void (*run)(const fb_chain *, const void *, void *, void *) noexcept nogil
    void fb_plan_chain(int real, fb_chain *chain, void *joined)
    int64_t fb_chain_workspace(const fb_chain *chain)
    const fb_chain_kernels *fb_choose_chain(int real, int most)

# Tests: the allocation fails that comes after this many more; negative is never. And the blocks of memory in use.
cdef int64_t allocations_left = -1, in_use = 0
cdef int most = 2  # how many steps above the oldest CPU of the platform kernels may go: AVX2, AVX-512


def fail_allocation(count):
    """Tests: let the allocation fail that comes after `count` more; None for never."""
    global allocations_left
    allocations_left = -1 if count is None else count


def limit_instructions(steps):
    """Tests: let kernels go at most so many steps above the oldest CPU of the platform."""
    global most
    most = steps


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
        raise MemoryError(f"Kronecker.apply: no memory for a workspace of {size} bytes")
    in_use += 1
    return block


cdef void release(void *block) noexcept:
    global in_use
    in_use -= 1
    free(block)


cdef inline int real_of(int typenum) noexcept:
    if typenum == cnp.NPY_FLOAT or typenum == cnp.NPY_CFLOAT:
        return 0
    return 1 if typenum == cnp.NPY_DOUBLE or typenum == cnp.NPY_CDOUBLE else -1


cdef bint is_plain(x, int typenum) noexcept:
    """Whether kernels can follow the strides of x."""
    cdef int a
    if not cnp.PyArray_CheckExact(x) or cnp.PyArray_TYPE(<cnp.ndarray> x) != typenum:
        return False
    if not cnp.PyArray_ISBEHAVED_RO(<cnp.ndarray> x) or cnp.PyArray_SIZE(<cnp.ndarray> x) == 0:
        return False
    for a in range(cnp.PyArray_NDIM(<cnp.ndarray> x)):
        if cnp.PyArray_STRIDE(<cnp.ndarray> x, a) % cnp.PyArray_ITEMSIZE(<cnp.ndarray> x):
            return False
    return True


cdef bint is_turned(cnp.ndarray x, int k) noexcept:
    """Whether the last k axes are in Fortran order, and the others around them in C order."""
    cdef int a, axes = cnp.PyArray_NDIM(x)
    cdef cnp.npy_intp step = cnp.PyArray_ITEMSIZE(x)
    for a in range(axes - k, axes):
        if cnp.PyArray_STRIDE(x, a) != step:
            return False
        step *= cnp.PyArray_DIM(x, a)
    for a in range(axes - k - 1, -1, -1):
        if cnp.PyArray_STRIDE(x, a) != step:
            return False
        step *= cnp.PyArray_DIM(x, a)
    return True


def apply_chain(tuple factors, x, bint conj=False):
    """``Kronecker(*factors) @ x`` for plain arrays of one dtype, real or complex; None for everything else.

    Parameters
    ----------
    factors : arrays A_i (m_i, n_i), the last one acting on the first of the last k axes of x
    x : (..., n_k, ..., n_1) array
    conj : whether the factors act conjugated

    Returns
    -------
    (..., m_k, ..., m_1) array, its axes in the memory order of x; or None
    """
    cdef int k = <int> len(factors), a, axes, typenum
    cdef cnp.ndarray array
    cdef bint turned
    if not cnp.PyArray_CheckExact(x):
        return None
    axes, typenum = cnp.PyArray_NDIM(<cnp.ndarray> x), cnp.PyArray_TYPE(<cnp.ndarray> x)
    if real_of(typenum) < 0 or not k <= axes <= FB_MODES or not is_plain(x, typenum):
        return None
    for a in range(k):
        if not is_plain(factors[a], typenum):
            return None
        if cnp.PyArray_DIM(<cnp.ndarray> x, axes - 1 - a) != cnp.PyArray_DIM(<cnp.ndarray> factors[a], 1):
            return None
    array = <cnp.ndarray> x
    if cnp.PyArray_ISCOMPLEX(array):  # rows of pairs (re, im)
        factors = tuple([cnp.PyArray_GETCONTIGUOUS(<cnp.ndarray> (A.conj() if conj else A)) for A in factors])
    turned = not cnp.PyArray_IS_C_CONTIGUOUS(array) and is_turned(array, k)
    return run_modes(factors, array if turned else cnp.PyArray_GETCONTIGUOUS(array), turned)


cdef cnp.ndarray run_modes(tuple factors, cnp.ndarray x, bint turned):
    """y[..., i_0, i_1, ...] = sum of A_0[i_0, j_0] A_1[i_1, j_1] ... x[..., j_0, j_1, ...], all in C order.

    The first factor is A_0 where the last axes are turned, as they then lie in memory; else it is the last one.
    """
    cdef int k = <int> len(factors), a, axes = cnp.PyArray_NDIM(x)
    cdef int real = real_of(cnp.PyArray_TYPE(x))
    cdef bint is_complex = cnp.PyArray_ISCOMPLEX(x)
    cdef int64_t size = cnp.PyArray_ITEMSIZE(x), stack = 1, step_x = 1, step_y = 1, s, run, at = 0
    cdef double work = 1
    cdef cnp.npy_intp shape[64]
    cdef cnp.npy_intp places[64]
    cdef cnp.PyArray_Dims swap
    cdef cnp.ndarray factor, y
    cdef fb_chain chain
    cdef const fb_chain_kernels *kernels = fb_choose_chain(real, most)
    cdef void *workspace
    cdef void *joined = NULL
    cdef char *p
    cdef char *q
    for a in range(axes - k):
        shape[a] = cnp.PyArray_DIM(x, a)
        stack *= shape[a]
    for a in range(k):
        factor = factors[a if turned else k - 1 - a]
        chain.mode[a].m = cnp.PyArray_DIM(factor, 0)
        chain.mode[a].n = cnp.PyArray_DIM(factor, 1)
        chain.mode[a].rs = cnp.PyArray_STRIDE(factor, 0) // size
        chain.mode[a].cs = cnp.PyArray_STRIDE(factor, 1) // size
        if is_complex:
            chain.mode[a].rs, chain.mode[a].cs = 2 * chain.mode[a].n, 1
        chain.mode[a].a = cnp.PyArray_DATA(factor)
        shape[axes - k + a] = chain.mode[a].m
        step_x *= chain.mode[a].n
        step_y *= chain.mode[a].m
    y = cnp.PyArray_EMPTY(axes, shape, cnp.PyArray_TYPE(x), 0)
    chain.modes, chain.pairs = k, is_complex
    if is_complex:
        chain.gemm = <fb_gemm> cgemm if real == 0 else <fb_gemm> zgemm
    else:
        chain.gemm = <fb_gemm> sgemm if real == 0 else <fb_gemm> dgemm
    joined = allocate(k * FB_JOINED * size)
    try:
        fb_plan_chain(real, &chain, joined)
        workspace = allocate(fb_chain_workspace(&chain) * (4 if real == 0 else 8))
        try:
            kernels.pack(&chain, workspace)
            p, q = cnp.PyArray_BYTES(x), cnp.PyArray_BYTES(y)
            work = <double> (step_x + step_y) * 64 * k
            run = max(1, <int64_t> (1e8 / work))  # between two looks for Ctrl-C
            while at < stack:
                run = min(run, stack - at)
                if work * stack < 1e5:
                    for s in range(at, at + run):
                        kernels.run(&chain, p + s * step_x * size, q + s * step_y * size, workspace)
                else:
                    with nogil:
                        for s in range(at, at + run):
                            kernels.run(&chain, p + s * step_x * size, q + s * step_y * size, workspace)
                    PyErr_CheckSignals()
                at += run
        finally:
            release(workspace)
    finally:
        release(joined)
    if turned:
        for a in range(axes):
            places[a] = a if a < axes - k else 2 * axes - k - 1 - a
        swap.ptr, swap.len = places, axes
        return cnp.PyArray_Transpose(y, &swap)
    return y
