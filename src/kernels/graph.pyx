"""Sweeps over a weighted directed acyclic graph: `Sweeper` solves (I - Lt) x = b as often as one likes.

The arrays of the graph are those of a CSR matrix, used in place. Long sweeps look for Ctrl-C about every 50 ms.
"""

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport INT32_MAX, int64_t

cimport numpy as cnp
import numpy as np

cnp.import_array()

cdef extern from "graph.h" nogil:
    enum:
        FB_LOG_SUM_EXP
        FB_FEW
    ctypedef struct fb_graph:
        int64_t nodes, edges
        const void *indptr
        const void *indices
        const void *weights
        const void *order
    ctypedef struct fb_plan:
        int64_t nodes, edges, blocks
    ctypedef struct fb_cursor:
        int64_t block, edge
    ctypedef struct fb_sweeps:
        void (*pull)(const fb_graph *, int64_t, int64_t, int64_t, const void *, void *) noexcept nogil
        void (*push)(const fb_graph *, int64_t, int64_t, int64_t, void *) noexcept nogil
    ctypedef struct fb_planned_sweeps:
        void (*pull)(const fb_plan *, fb_cursor *, int64_t, int64_t, const void *, void *) noexcept nogil
        void (*push)(const fb_plan *, fb_cursor *, int64_t, int64_t, void *) noexcept nogil
    ctypedef struct fb_sweep_table:
        fb_sweeps given[2][2][4]
        fb_planned_sweeps planned[2][4]
    ctypedef struct fb_kahn:
        int64_t edge, next, found
        void *waiting
        void *order
    const fb_sweep_table *fb_choose_sweeps()
    int fb_check_structure(int index, int64_t nodes, int64_t edges, const void *indptr, const void *indices)
    int fb_all_finite(int real, int64_t count, const void *x)
    int fb_kahn_step(int index, int64_t nodes, int64_t edges, const void *indptr, const void *indices, int64_t budget,
                     fb_kahn *kahn)
    int fb_make_plan(int real, int index, const fb_graph *g, fb_plan *plan)
    void fb_free_plan(fb_plan *plan)
    void fb_take_rows(int real, int index, int64_t nodes, int64_t r, const void *order, const void *x, void *out)
    void fb_put_rows(int real, int index, int64_t nodes, int64_t r, const void *order, const void *x, void *out)
    void fb_copy(int real, int64_t count, const void *x, void *out)
    int64_t fb_allocations_left, fb_allocated
    void *fb_allocate(size_t count, size_t size)
    void fb_release(void *block)

# Below this many edges times columns (about 5 us) a sweep keeps the GIL.
cdef int64_t SMALL = 5000
# Edges times columns between two looks for Ctrl-C.
cdef int64_t BUDGET = 10_000_000


# With fewer nodes, putting one column or some in order and back costs what a planned sweep gains.
cdef int64_t ORDERED = 500, ORDERED_FEW = 5000


cdef inline int64_t budget_of(int semiring) noexcept nogil:
    return BUDGET // 16 if semiring == FB_LOG_SUM_EXP else BUDGET  # an exponential and a logarithm for every edge


STRUCTURE = {-2: "indptr", -1: "indices", 0: "any order", 1: "in order"}


cdef inline int real_of(cnp.ndarray x) noexcept:
    cdef int typenum = cnp.PyArray_TYPE(x)
    return 0 if typenum == cnp.NPY_FLOAT else 1 if typenum == cnp.NPY_DOUBLE else -1


cdef inline int index_of(cnp.ndarray x) noexcept:
    return 0 if cnp.PyArray_ITEMSIZE(x) == 4 else 1


def structure(cnp.ndarray indptr, cnp.ndarray indices):
    """'in order' where every edge goes up, 'any order', or which array is no part of a CSR matrix."""
    cdef int64_t nodes = cnp.PyArray_SIZE(indptr) - 1, edges = cnp.PyArray_SIZE(indices)
    cdef int index = index_of(indptr), found
    with nogil:
        found = fb_check_structure(index, nodes, edges, cnp.PyArray_DATA(indptr), cnp.PyArray_DATA(indices))
    return STRUCTURE[found]


def all_finite(cnp.ndarray x):
    """Whether no element of a contiguous float array is infinite or NaN."""
    return bool(fb_all_finite(real_of(x), cnp.PyArray_SIZE(x), cnp.PyArray_DATA(x)))


def topological_order(cnp.ndarray indptr, cnp.ndarray indices):
    """The nodes in an order in which every edge goes forward; with a cycle, only those before it."""
    cdef int64_t nodes = cnp.PyArray_SIZE(indptr) - 1, edges = cnp.PyArray_SIZE(indices)
    cdef int index = index_of(indptr), more = 1
    cdef fb_kahn kahn
    order = np.empty(nodes, indptr.dtype)
    kahn.edge = kahn.next = kahn.found = 0
    kahn.order = cnp.PyArray_DATA(<cnp.ndarray> order)
    kahn.waiting = fb_allocate(nodes, 4 if index == 0 else 8)
    if kahn.waiting == NULL:
        raise MemoryError(f"Graph: no memory for the order of {nodes} nodes")
    try:
        while more:
            with nogil:
                more = fb_kahn_step(index, nodes, edges, cnp.PyArray_DATA(indptr), cnp.PyArray_DATA(indices), BUDGET,
                                    &kahn)
            PyErr_CheckSignals()
    finally:
        fb_release(kahn.waiting)
    return order[:kahn.found]


cdef class Sweeper:
    """The sweeps of one graph.

    Parameters
    ----------
    indptr, indices : (n + 1,), (e,) arrays, C-contiguous, both int32 or both int64
    weights : (e,) array, C-contiguous, float32 or float64
    order : (n,) array of the index type, or None for 0, 1, 2, ...
    """

    cdef readonly cnp.ndarray indptr, indices, weights
    cdef readonly object order
    cdef fb_graph graph
    cdef int real, index

    def __init__(self, cnp.ndarray indptr, cnp.ndarray indices, cnp.ndarray weights, order):
        self.indptr, self.indices, self.weights, self.order = indptr, indices, weights, order
        self.real, self.index = real_of(weights), index_of(indptr)
        self.graph.nodes = cnp.PyArray_SIZE(indptr) - 1
        self.graph.edges = cnp.PyArray_SIZE(indices)
        self.graph.indptr = cnp.PyArray_DATA(indptr)
        self.graph.indices = cnp.PyArray_DATA(indices)
        self.graph.weights = cnp.PyArray_DATA(weights)
        self.graph.order = NULL if order is None else cnp.PyArray_DATA(<cnp.ndarray> order)

    cdef int sweep(self, bint push, int semiring, int64_t r, const void *b, void *x) except -1:
        """x = (I - Lt)^-1 b, or with the transpose; b and x (n, r) may be the same."""
        cdef const fb_sweeps *sweeps = &fb_choose_sweeps().given[self.real][self.index][semiring]
        cdef int64_t n = self.graph.nodes, work = (n + self.graph.edges) * r, at = 0, stop, step
        if push and b != x:
            with nogil:
                fb_copy(self.real, n * r, b, x)
        if work <= SMALL:
            if push:
                sweeps.push(&self.graph, 0, n, r, x)
            else:
                sweeps.pull(&self.graph, 0, n, r, b, x)
            return 0
        step = max(1, <int64_t> (<double> n * budget_of(semiring) / work))
        while at < n:
            stop = min(n, at + step)
            with nogil:
                if push:
                    sweeps.push(&self.graph, at, stop, r, x)
                else:
                    sweeps.pull(&self.graph, at, stop, r, b, x)
            at = stop
            if at < n:
                PyErr_CheckSignals()
        return 0

    def run(self, cnp.ndarray b, bint push, int semiring=0, cnp.ndarray out=None):
        """The solution for b (n,) or (n, ...), C-contiguous, of the dtype of the weights; `out` may be b."""
        cdef int64_t n = self.graph.nodes
        if out is None:
            out = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(b), cnp.PyArray_DIMS(b), cnp.PyArray_TYPE(b), 0)
        self.sweep(push, semiring, cnp.PyArray_SIZE(b) // n if n else 0, cnp.PyArray_DATA(b), cnp.PyArray_DATA(out))
        return out

    def fits(self, b):
        """Whether `run` takes b as it is."""
        return (cnp.PyArray_CheckExact(b) and cnp.PyArray_NDIM(<cnp.ndarray> b) > 0
                and cnp.PyArray_TYPE(<cnp.ndarray> b) == cnp.PyArray_TYPE(self.weights)
                and cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray> b) and cnp.PyArray_ISBEHAVED_RO(<cnp.ndarray> b)
                and cnp.PyArray_DIM(<cnp.ndarray> b, 0) == self.graph.nodes)

    def takes(self, b, out):
        """Whether `run` takes b as it is and can write to `out`, which is b, apart from it, or None."""
        cdef char *p
        cdef char *q
        cdef cnp.npy_intp size
        if not self.fits(b):
            return False
        if out is None or out is b:
            return out is None or cnp.PyArray_ISWRITEABLE(<cnp.ndarray> b)
        if not self.fits(out) or not cnp.PyArray_SAMESHAPE(<cnp.ndarray> b, <cnp.ndarray> out):
            return False
        p, q = cnp.PyArray_BYTES(<cnp.ndarray> b), cnp.PyArray_BYTES(<cnp.ndarray> out)
        size = cnp.PyArray_NBYTES(<cnp.ndarray> b)
        return cnp.PyArray_ISWRITEABLE(<cnp.ndarray> out) and (p + size <= q or q + size <= p)


cdef class PlannedSweeper(Sweeper):
    """The same with the edges sorted once, for few columns: half the time a sweep, for a copy of the graph."""

    cdef fb_plan plan

    def __init__(self, indptr, indices, weights, order):
        cdef int failed
        Sweeper.__init__(self, indptr, indices, weights, order)
        failed = fb_make_plan(self.real, self.index, &self.graph, &self.plan)
        if failed:
            raise MemoryError(f"factorize: no memory for a plan of {self.graph.edges} edges")

    def __dealloc__(self):
        fb_free_plan(&self.plan)

    cdef int sweep(self, bint push, int semiring, int64_t r, const void *b, void *x) except -1:
        cdef void *rows = x
        if r == 0:  # the kernels know one column to FB_FEW
            return 0
        if r > FB_FEW or (self.graph.order != NULL and self.graph.nodes < (ORDERED if r == 1 else ORDERED_FEW)):
            return Sweeper.sweep(self, push, semiring, r, b, x)
        if self.graph.order == NULL:
            if push and b != x:
                with nogil:
                    fb_copy(self.real, self.graph.nodes * r, b, x)
            return self.sweep_rows(push, semiring, r, b, x)
        rows = fb_allocate(self.graph.nodes * r, 4 if self.real == 0 else 8)
        if rows == NULL:
            raise MemoryError(f"solve: no memory for {self.graph.nodes} nodes and {r} columns")
        try:
            with nogil:
                fb_take_rows(self.real, self.index, self.graph.nodes, r, self.graph.order, b, rows)
            self.sweep_rows(push, semiring, r, rows, rows)
            with nogil:
                fb_put_rows(self.real, self.index, self.graph.nodes, r, self.graph.order, rows, x)
        finally:
            fb_release(rows)
        return 0

    cdef int sweep_rows(self, bint push, int semiring, int64_t r, const void *b, void *x) except -1:
        cdef const fb_planned_sweeps *sweeps = &fb_choose_sweeps().planned[self.real][semiring]
        cdef fb_cursor at
        at.block = self.plan.blocks if push else 0
        at.edge = self.plan.edges if push else 0
        if (self.plan.nodes + self.plan.edges) * r <= SMALL:
            if push:
                sweeps.push(&self.plan, &at, BUDGET, r, x)
            else:
                sweeps.pull(&self.plan, &at, BUDGET, r, b, x)
            return 0
        while at.block > 0 if push else at.block < self.plan.blocks:
            with nogil:
                if push:
                    sweeps.push(&self.plan, &at, budget_of(semiring), r, x)
                else:
                    sweeps.pull(&self.plan, &at, budget_of(semiring), r, b, x)
            PyErr_CheckSignals()
        return 0


def index_dtype(nodes, edges):
    """32-bit indices where they suffice."""
    return np.dtype(np.int32 if max(nodes, edges) <= INT32_MAX else np.int64)


def fail_allocation(count):
    """Tests: let the allocation fail that comes after `count` more; None for never."""
    global fb_allocations_left
    fb_allocations_left = -1 if count is None else count


def allocated():
    """Tests: the blocks of memory in use."""
    return fb_allocated
