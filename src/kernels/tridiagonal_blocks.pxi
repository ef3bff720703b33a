# Block-tridiagonal systems: their factors and the blocks of the inverse, by the same kernels with m columns a block.

cdef struct Place:  # a stack (systems, n, m, m), in elements
    char *a
    int64_t lane, step, rs, cs, size


cdef Place place_of(cnp.ndarray x) noexcept:
    cdef int64_t size = cnp.PyArray_ITEMSIZE(x)
    return Place(cnp.PyArray_BYTES(x), cnp.PyArray_STRIDE(x, 0) // size, cnp.PyArray_STRIDE(x, 1) // size,
                 cnp.PyArray_STRIDE(x, 2) // size, cnp.PyArray_STRIDE(x, 3) // size, size)


cdef inline char *block_of(const Place *x, int64_t s, int64_t k) noexcept nogil:
    return x.a + (s * x.lane + k * x.step) * x.size


cdef inline void put(fb_columns *columns, char *a, const Place *x, bint transposed) noexcept nogil:
    columns.a = a
    columns.rs = x.cs if transposed else x.rs
    columns.cs = x.rs if transposed else x.cs


cdef inline void put_block(fb_blocks *blocks, char *a, const Place *x, bint transposed) noexcept nogil:
    blocks.a = a
    blocks.rs = x.cs if transposed else x.rs
    blocks.cs = x.rs if transposed else x.cs


cdef fb_system one_block(int64_t m) noexcept nogil:
    """A system of one block, m right sides."""
    cdef fb_system own
    own.n, own.m, own.r = 1, m, m
    own.diagonal, own.conj_d, own.conj_o = FB_UNIT, False, False
    own.d = own.o = fb_blocks(NULL, 0, 0, 0)
    own.b = own.x = fb_columns(NULL, 0, 0, 0)
    own.pivots, own.pivot_step = NULL, 0
    return own


ctypedef fused real:
    float
    double


cdef inline void take_reciprocals(real *x, int64_t count, int64_t step) noexcept nogil:
    cdef int64_t i
    for i in range(count):
        x[i * step] = 1 / x[i * step]


cdef inline void negate(real *x, int64_t count) noexcept nogil:
    cdef int64_t i
    for i in range(count):
        x[i] = -x[i]


cdef inline void subtract_from_identity(real *x, int64_t m, int64_t parts) noexcept nogil:
    cdef int64_t i
    negate(x, m * m * parts)
    for i in range(m):
        x[i * (m + 1) * parts] += 1


cdef inline void mirror(real *x, int64_t m, int64_t parts) noexcept nogil:
    """The upper triangle becomes the adjoint of the lower one, the diagonal real."""
    cdef int64_t i, j
    for i in range(m):
        for j in range(i):
            x[(j * m + i) * parts] = x[(i * m + j) * parts]
            if parts == 2:
                x[(j * m + i) * 2 + 1] = -x[(i * m + j) * 2 + 1]
        if parts == 2:
            x[(i * m + i) * 2 + 1] = 0


cdef class Tridiagonals:
    """Systems of n block rows of m rows each, a diagonal and both neighbours of it, to be factorized.

    Without `upper` they are positive definite, A = L L^H: the blocks P_k on the diagonal of L are lower triangles, and
    Q_k = B_k P_k^-H stands below P_k. Else A = L U, with pivot blocks S_k, of which LU factors are kept, on the
    diagonal of L, B_k below them, and Q_k = S_k^-1 C_k right of the identities of U.

    Parameters
    ----------
    diag, lower, upper : (systems, n, m, m), (systems, n - 1, m, m) arrays of one dtype; upper may be None
    factors, beside : (systems, n, m, m) C-ordered arrays
        Where P, with zeros above its diagonal, or factors of S go, and Q; the last block of `beside` is scratch.
    pivots : (systems, n, m) int32 array
        Of S.
    where : str
        How messages name the call.
    """

    cdef readonly object arrays, where
    cdef bint positive
    cdef int element
    cdef int64_t systems, n, m, parts
    cdef Place D, B, C, P, Q
    cdef int32_t *pivots

    def __init__(self, cnp.ndarray diag, cnp.ndarray lower, upper, cnp.ndarray factors, cnp.ndarray beside,
                 cnp.ndarray pivots, where):
        self.arrays, self.where = (diag, lower, upper, factors, beside, pivots), where
        self.positive, self.element = upper is None, element_of(diag)
        self.systems, self.n, self.m = factors.shape[0], factors.shape[1], factors.shape[2]
        self.parts = 2 if self.element > 1 else 1
        self.D, self.B, self.P, self.Q = place_of(diag), place_of(lower), place_of(factors), place_of(beside)
        self.C = self.B if upper is None else place_of(upper)
        self.pivots = <int32_t *> cnp.PyArray_DATA(pivots)

    cdef bint single(self) noexcept nogil:
        return self.element in (0, 2)

    cdef int64_t chunk(self) noexcept:
        """The blocks between two looks for Ctrl-C."""
        return max(1, <int64_t> (BUDGET / (5.0 * self.m * self.m * self.m)))

    def factor(self, int64_t first, int64_t last):
        """Fill `factors`, `beside` and `pivots` of the systems first to last."""
        cdef const fb_block_kernels *kernels = fb_choose_blocks(self.element)
        cdef int64_t s, at, stop, singular = 0, step = self.chunk()
        cdef void *block
        if not self.systems or not self.n or not self.m:
            return
        block = allocate(fb_workspace(self.m) + 64)
        try:
            for s in range(first, last):
                at = 0
                while at < self.n:
                    stop = min(self.n, at + step)
                    with nogil:
                        if self.positive:
                            singular = self.cholesky(kernels, s, at, stop, aligned(block))
                        else:
                            singular = self.lu(kernels, s, at, stop, aligned(block))
                    if singular:
                        self.refuse(s, singular - 1)
                    at = stop
                    if at < self.n:
                        PyErr_CheckSignals()
        finally:
            release(block)

    cdef int64_t lu(self, const fb_block_kernels *kernels, int64_t s, int64_t start, int64_t stop,
                    void *space) noexcept nogil:
        """Q_k = S_k^-1 C_k, S_{k+1} = D_{k+1} - B_k Q_k, first in the place of Q_{k+1}; 0 or 1 + a singular block."""
        cdef int64_t k, m = self.m
        cdef fb_system solve = one_block(m), subtract = one_block(m)
        cdef const Place *given
        cdef int32_t *pivots
        solve.diagonal = FB_LU
        subtract.x.step = m * m
        for k in range(start, stop):
            given = &self.Q if k else &self.D
            pivots = self.pivots + (s * self.n + k) * m
            if kernels.lu(m, block_of(given, s, k), given.rs, given.cs, block_of(&self.P, s, k), pivots):
                return k + 1
            if k == self.n - 1:
                break
            solve.pivots = pivots
            put_block(&solve.d, block_of(&self.P, s, k), &self.P, False)
            put(&solve.b, block_of(&self.C, s, k), &self.C, False)
            put(&solve.x, block_of(&self.Q, s, k), &self.Q, False)
            kernels.solve(&solve, 0, 1, space)
            put_block(&subtract.o, block_of(&self.B, s, k), &self.B, False)
            put(&subtract.b, block_of(&self.D, s, k + 1), &self.D, False)
            put(&subtract.x, block_of(&self.Q, s, k), &self.Q, False)
            kernels.solve(&subtract, 1, 2, space)
        return 0

    cdef int64_t cholesky(self, const fb_block_kernels *kernels, int64_t s, int64_t start, int64_t stop,
                          void *space) noexcept nogil:
        """Q_k^T = conj(P_k)^-1 B_k^T and S_{k+1}^T = D_{k+1}^T - conj(Q_k) Q_k^T, of which one triangle is read."""
        cdef int64_t k, m = self.m
        cdef fb_system solve = one_block(m), subtract = one_block(m)
        cdef const Place *given
        cdef char *P
        solve.diagonal, solve.conj_d, subtract.conj_o = FB_LOWER, True, True
        subtract.x.step = m * m
        for k in range(start, stop):
            given = &self.Q if k else &self.D
            P = block_of(&self.P, s, k)
            if kernels.cholesky(m, block_of(given, s, k), given.rs, given.cs, P, space):
                return k + 1
            if self.single():
                take_reciprocals(<float *> P, m, (m + 1) * self.parts)
            else:
                take_reciprocals(<double *> P, m, (m + 1) * self.parts)
            if k == self.n - 1:
                break
            put_block(&solve.d, P, &self.P, False)
            put(&solve.b, block_of(&self.B, s, k), &self.B, True)
            put(&solve.x, block_of(&self.Q, s, k), &self.Q, True)
            kernels.solve(&solve, 0, 1, space)
            put_block(&subtract.o, block_of(&self.Q, s, k), &self.Q, False)
            put(&subtract.b, block_of(&self.D, s, k + 1), &self.D, True)
            put(&subtract.x, block_of(&self.Q, s, k), &self.Q, True)
            kernels.solve(&subtract, 1, 2, space)
        return 0

    def invert(self, cnp.ndarray diag, cnp.ndarray lower, upper):
        """Fill arrays like the given ones with the blocks of A^-1 = Z; without an upper one, as Z is Hermitian, two.

        From the last block up, Z_{i,i+1} = -Q_i Z_{i+1,i+1}, Z_{i+1,i} = -Z_{i+1,i+1} B_i S_i^-1, and
        Z_ii = S_i^-1 (I - C_i Z_{i+1,i}); after Takahashi, Fagan and Chin (1973).
        """
        cdef const fb_block_kernels *kernels = fb_choose_blocks(self.element)
        cdef int64_t s, at, stop, step = self.chunk()
        cdef Place Z = place_of(diag), Y = place_of(lower), X = Y if upper is None else place_of(upper)
        cdef size_t area = self.m * self.m * Z.size
        cdef void *block
        cdef char *start
        if not self.systems or not self.n or not self.m:
            return
        block = allocate(fb_workspace(self.m) + area + 64)
        start = <char *> aligned(block)
        try:
            for s in range(self.systems):
                at = self.n
                while at:
                    stop = max(0, at - step)
                    with nogil:
                        self.invert_rows(kernels, s, stop, at, &Z, &Y, &X, start, start + fb_workspace(self.m))
                    at = stop
                    if at:
                        PyErr_CheckSignals()
        finally:
            release(block)

    cdef void invert_rows(self, const fb_block_kernels *kernels, int64_t s, int64_t start, int64_t stop,
                          const Place *Z, const Place *Y, const Place *X, void *space, char *T) noexcept nogil:
        cdef int64_t i, m = self.m
        cdef fb_system times = one_block(m)
        cdef char *P
        cdef const int32_t *pivots
        for i in range(stop - 1, start - 1, -1):
            P, pivots = block_of(&self.P, s, i), self.pivots + (s * self.n + i) * m
            if i == self.n - 1:
                memset(T, 0, m * m * self.P.size)
            else:
                times.diagonal, times.conj_d = FB_INVERSE, False
                # T = -Z_{i+1,i+1} B_i, and that solved with S_i from the right
                put_block(&times.d, block_of(Z, s, i + 1), Z, False)
                put(&times.b, block_of(&self.B, s, i), &self.B, False)
                put(&times.x, T, &self.P, False)  # in the same order
                kernels.multiply(&times, 0, 1, space)
                self.negated(T)
                self.solve_with(kernels, P, pivots, True, T, block_of(Y, s, i), Y, space)
                if not self.positive:
                    put_block(&times.d, block_of(&self.Q, s, i), &self.Q, False)
                    put(&times.b, block_of(Z, s, i + 1), Z, False)
                    put(&times.x, block_of(X, s, i), X, False)
                    kernels.multiply(&times, 0, 1, space)
                    self.negated(block_of(X, s, i))
                # T = C_i Z_{i+1,i}
                times.conj_d = self.positive
                put_block(&times.d, block_of(&self.C, s, i), &self.C, self.positive)
                put(&times.b, block_of(Y, s, i), Y, False)
                put(&times.x, T, &self.P, False)  # in the same order
                kernels.multiply(&times, 0, 1, space)
            if self.single():
                subtract_from_identity(<float *> T, m, self.parts)
            else:
                subtract_from_identity(<double *> T, m, self.parts)
            self.solve_with(kernels, P, pivots, False, T, block_of(Z, s, i), Z, space)
            if self.positive:
                if self.single():
                    mirror(<float *> block_of(Z, s, i), m, self.parts)
                else:
                    mirror(<double *> block_of(Z, s, i), m, self.parts)

    cdef void solve_with(self, const fb_block_kernels *kernels, char *P, const int32_t *pivots, bint from_right,
                         char *T, char *to, const Place *x, void *space) noexcept nogil:
        """X = S_k^-1 T, or T S_k^-1 by its transpose."""
        cdef fb_system own = one_block(self.m)
        put_block(&own.d, P, &self.P, False)
        own.pivots = pivots
        put(&own.b, T, &self.P, from_right)
        put(&own.x, to, x, from_right)
        if not self.positive:
            own.diagonal = FB_LU_TRANSPOSED if from_right else FB_LU
            kernels.solve(&own, 0, 1, space)
            return
        # S = P P^H, and its transpose conj(P) P^T
        own.diagonal, own.conj_d = FB_LOWER, from_right
        kernels.solve(&own, 0, 1, space)
        own.b = own.x
        put_block(&own.d, P, &self.P, True)
        own.diagonal, own.conj_d = FB_UPPER, not from_right
        kernels.solve(&own, 0, 1, space)

    cdef void negated(self, char *x) noexcept nogil:
        if self.single():
            negate(<float *> x, self.m * self.m * self.parts)
        else:
            negate(<double *> x, self.m * self.m * self.parts)

    cdef int refuse(self, int64_t s, int64_t i) except -1:
        system = f" of system {s}" if self.systems > 1 else ""
        if self.positive:
            raise SingularError(
                f"{self.where}: pivot block ({i}, {i}){system} must be positive definite because its Cholesky factor "
                f"is taken; got a pivot that is not positive"
            )
        raise SingularError(
            f"{self.where}: pivot block ({i}, {i}){system} must be nonsingular because it is solved with; got a zero "
            f"pivot"
        )
