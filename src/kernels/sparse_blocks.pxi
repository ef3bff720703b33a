# Block-sparse triangles: the same kernels, block by block.

cdef class SparseSweep(Sweep):
    """One triangular system whose blocks off the diagonal stand anywhere in an array.

    A block (i, j) is a step of a bidiagonal sweep from row j to row i, whatever lies between them.

    Parameters
    ----------
    data : (nnz, m, m) array
    indptr, indices, place : (n + 1,), (e,), (e,) int64 arrays
        Block (i, indices[k]) is data[place[k]], for the k from indptr[i] to indptr[i + 1].
    *rest
        As `Sweep` takes them, with one system and no blocks beside the diagonal.
    """

    cdef readonly cnp.ndarray data, indptr, indices, place
    cdef const int64_t *starts
    cdef const int64_t *columns
    cdef const int64_t *places

    def __init__(self, cnp.ndarray data, cnp.ndarray indptr, cnp.ndarray indices, cnp.ndarray place, *rest):
        Sweep.__init__(self, *rest)
        self.data, self.indptr, self.indices, self.place = data, indptr, indices, place
        self.starts = <const int64_t *> cnp.PyArray_DATA(indptr)
        self.columns = <const int64_t *> cnp.PyArray_DATA(indices)
        self.places = <const int64_t *> cnp.PyArray_DATA(place)
        self.system.o.rs = cnp.PyArray_STRIDE(data, 1) // self.size
        self.system.o.cs = cnp.PyArray_STRIDE(data, 2) // self.size

    cdef int sweep(self, fb_system *A, fb_lanes *lanes, bint multiply) except -1:
        cdef const fb_block_kernels *kernels = self.kernels
        cdef double work = <double> self.m * self.m * A.r * 2 + 4 * self.m * A.r + 40
        cdef int64_t at = 0, stop, step, n = self.n, m = self.m, singular = 0
        cdef size_t scratch = fb_workspace(m) + 64, factors = 0
        cdef char *block
        cdef char *space
        work *= 1 + <double> self.starts[n] / n
        step = max(1, <int64_t> min(BUDGET / work, <double> n))
        if self.kind >= general and not multiply:
            factors = m * m * self.size + m * 4 + 64
        block = <char *> allocate(scratch + factors)
        space = <char *> aligned(block)
        try:
            while at < n and not singular:
                stop = min(n, at + step)
                with nogil:
                    if multiply:
                        self.subtract_rows(kernels, A, at, stop, space)
                    else:
                        singular = self.solve_rows(kernels, A, at, stop, space, space + scratch - 64)
                at = stop
                if at < n:
                    PyErr_CheckSignals()
        finally:
            release(block)
        if singular:
            self.refuse(0, singular - 1)
        return 0

    cdef int64_t solve_rows(self, const fb_block_kernels *kernels, const fb_system *A, int64_t start, int64_t stop,
                            char *space, char *factors) noexcept nogil:
        """x_i = D_i^-1 (b_i - sum of O_ij x_j), the last product together with the solve; 0 or 1 + a singular row."""
        cdef int64_t t, i, j, k, s, singular = 0, n = self.n, m = self.m, size = self.size
        cdef int64_t area = cnp.PyArray_STRIDE(self.data, 0)
        cdef fb_system own = A[0]
        cdef char *given
        cdef char *to
        own.d.step = own.b.step = own.o.step = own.pivot_step = 0
        for t in range(start, stop):
            i = n - 1 - t if self.upper else t
            given = <char *> A.b.a + t * A.b.step * size
            to = <char *> A.x.a + t * A.x.step * size
            own.b.a = given
            if A.d.a != NULL:
                own.d.a = <const char *> A.d.a + t * A.d.step * size
            if A.pivots != NULL:
                own.pivots = A.pivots + t * A.pivot_step
            if self.kind >= general:
                own.pivots = <int32_t *> (factors + m * m * size)
                if self.kind == general:
                    singular = kernels.lu(m, own.d.a, A.d.rs, A.d.cs, factors, <int32_t *> own.pivots)
                else:
                    singular = kernels.cholesky(m, own.d.a, A.d.rs, A.d.cs, factors, space)
                if singular:
                    return t + 1
                own.d.a, own.d.rs, own.d.cs = factors, m, 1
            for k in range(self.starts[i], self.starts[i + 1]):
                j = self.columns[k]
                s = n - 1 - j if self.upper else j
                own.o.a = <const char *> cnp.PyArray_DATA(self.data) + self.places[k] * area
                own.x.a = <char *> A.x.a + s * A.x.step * size
                own.x.step = (t - s) * A.x.step
                own.diagonal = A.diagonal if k == self.starts[i + 1] - 1 else FB_UNIT
                singular = kernels.solve(&own, 1, 2, space)
                own.b.a = to
                own.b.rs, own.b.cs = A.x.rs, A.x.cs
            own.b.rs, own.b.cs = A.b.rs, A.b.cs
            if self.starts[i] == self.starts[i + 1]:
                own.o.a = NULL
                own.x.a, own.x.step, own.diagonal = to, 0, A.diagonal
                singular = kernels.solve(&own, 0, 1, space)
            if singular:
                return t + 1
        return 0

    cdef void subtract_rows(self, const fb_block_kernels *kernels, const fb_system *A, int64_t start, int64_t stop,
                            char *space) noexcept nogil:
        """x_i -= D_i b_i + sum of O_ij b_j, b and x with the same strides: sweeps from an array to the other."""
        cdef int64_t t, i, j, k, n = self.n, size = self.size, area = cnp.PyArray_STRIDE(self.data, 0)
        cdef fb_system own = A[0]
        cdef char *given
        cdef char *to
        own.diagonal = FB_UNIT
        own.b.step = own.o.step = 0
        own.b.rs, own.b.cs = A.x.rs, A.x.cs
        for t in range(start, stop):
            i = n - 1 - t if self.upper else t
            to = <char *> A.x.a + t * A.x.step * size
            own.b.a = to
            for k in range(self.starts[i] - (A.d.a != NULL), self.starts[i + 1]):
                if k < self.starts[i]:  # the diagonal block
                    j = i
                    own.o = A.d
                    own.o.a = <const char *> A.d.a + t * A.d.step * size
                    own.conj_o = A.conj_d
                else:
                    j = self.columns[k]
                    own.o = A.o
                    own.o.a = <const char *> cnp.PyArray_DATA(self.data) + self.places[k] * area
                    own.conj_o = A.conj_o
                own.o.step = 0
                given = <char *> A.b.a + (n - 1 - j if self.upper else j) * A.b.step * size
                own.x.a = given
                own.x.step = (to - given) // size
                kernels.solve(&own, 1, 2, space)
