/* Sweeps of one dtype, index type and semiring.
 *
 * Before including: REAL, INDEX, and TIMES(w, x) and PLUS(x, y) of the SEMIRING. A row of the matrix is `degree`
 * heads j and weights w; x and b have r columns.
 */

/* out = b + sum over the edges of w x[j], for `width` columns in registers */
INLINE void NAME(gather)(const int width, int64_t degree, const INDEX *j, const REAL *w, int64_t r, const REAL *b,
                         const REAL *x, REAL *out)
{
    REAL sum[WIDE];
    for (int c = 0; c < width; c++) sum[c] = b[c];
    for (int64_t e = 0; e < degree; e++) {
        const REAL *y = x + (int64_t)j[e] * r;
        for (int c = 0; c < width; c++) sum[c] = PLUS(sum[c], TIMES(w[e], y[c]));
    }
    for (int c = 0; c < width; c++) out[c] = sum[c];
}

/* x[j] += w own for every edge, for `width` columns; summed apart, because what is stored could be a weight */
INLINE void NAME(scatter)(const int width, int64_t degree, const INDEX *j, const REAL *w, int64_t r,
                          const REAL *own, REAL *x)
{
    REAL y[WIDE];
    for (int c = 0; c < width; c++) y[c] = own[c];
    for (int64_t e = 0; e < degree; e++) {
        REAL *z = x + (int64_t)j[e] * r, sum[WIDE];
        for (int c = 0; c < width; c++) sum[c] = PLUS(z[c], TIMES(w[e], y[c]));
        for (int c = 0; c < width; c++) z[c] = sum[c];
    }
}

INLINE void NAME(gather_row)(int64_t i, int64_t degree, const INDEX *j, const REAL *w, int64_t r, const REAL *b,
                             REAL *x)
{
    int64_t c = 0;
    const REAL *own = b + i * r;
    REAL *out = x + i * r;
    for (; c + WIDE <= r; c += WIDE) NAME(gather)(WIDE, degree, j, w, r, own + c, x + c, out + c);
    for (; c + 2 <= r; c += 2) NAME(gather)(2, degree, j, w, r, own + c, x + c, out + c);
    if (c < r)
        NAME(gather)(1, degree, j, w, r, own + c, x + c, out + c);
}

INLINE void NAME(scatter_row)(int64_t i, int64_t degree, const INDEX *j, const REAL *w, int64_t r, REAL *x)
{
    int64_t c = 0;
    const REAL *own = x + i * r;
    for (; c + WIDE <= r; c += WIDE) NAME(scatter)(WIDE, degree, j, w, r, own + c, x + c);
    for (; c + 2 <= r; c += 2) NAME(scatter)(2, degree, j, w, r, own + c, x + c);
    if (c < r)
        NAME(scatter)(1, degree, j, w, r, own + c, x + c);
}

/* What random access will want soon: the row of a node, then its edges. */
#define SOON(k)                                                                                                     \
    PREFETCH(indptr + order[k]);                                                                                    \
    PREFETCH(x + (int64_t)order[k] * r)

static void NAME(pull)(const fb_graph *g, int64_t start, int64_t stop, int64_t r, const void *b_, void *x_)
{
    const INDEX *indptr = g->indptr, *j = g->indices, *order = g->order;
    const REAL *w = g->weights, *b = b_;
    REAL *x = x_;
    const int64_t first = g->nodes - stop;
    for (int64_t k = g->nodes - start; k-- > first;) {
        int64_t i = k;
        if (order) {
            if (k >= 32) {
                SOON(k - 32);
                PREFETCH(b + (int64_t)order[k - 32] * r);
                PREFETCH(j + indptr[order[k - 16]]);
                PREFETCH(w + indptr[order[k - 16]]);
            }
            i = order[k];
        }
        const int64_t e = indptr[i], degree = indptr[i + 1] - e;
        if (r == 1)
            NAME(gather)(1, degree, j + e, w + e, 1, b + i, x, x + i);
        else
            NAME(gather_row)(i, degree, j + e, w + e, r, b, x);
    }
}

static void NAME(push)(const fb_graph *g, int64_t start, int64_t stop, int64_t r, void *x_)
{
    const INDEX *indptr = g->indptr, *j = g->indices, *order = g->order;
    const REAL *w = g->weights;
    REAL *x = x_;
    for (int64_t k = start; k < stop; k++) {
        int64_t i = k;
        if (order) {
            if (k + 32 < g->nodes) {
                SOON(k + 32);
                PREFETCH(j + indptr[order[k + 16]]);
                PREFETCH(w + indptr[order[k + 16]]);
            }
            i = order[k];
        }
        const int64_t e = indptr[i], degree = indptr[i + 1] - e;
        if (r == 1)
            NAME(scatter)(1, degree, j + e, w + e, 1, x + i, x);
        else
            NAME(scatter_row)(i, degree, j + e, w + e, r, x);
    }
}

#undef SOON
