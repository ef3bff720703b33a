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

/* x[j] += w own for every edge, for `width` columns */
INLINE void NAME(scatter)(const int width, int64_t degree, const INDEX *j, const REAL *w, int64_t r,
                          const REAL *own, REAL *x)
{
    REAL y[WIDE];
    for (int c = 0; c < width; c++) y[c] = own[c];
    for (int64_t e = 0; e < degree; e++) {
        REAL *z = x + (int64_t)j[e] * r;
        for (int c = 0; c < width; c++) z[c] = PLUS(z[c], TIMES(w[e], y[c]));
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

/* Rows of one degree; degrees up to 8 are compiled in, and so is the single column. */
INLINE void NAME(pull_run)(int64_t degree, int64_t count, const INDEX *node, const INDEX *j, const REAL *w,
                           int64_t r, const REAL *b, REAL *x)
{
    for (int64_t k = 0; k < count; k++, j += degree, w += degree) {
        if (r == 1)
            NAME(gather)(1, degree, j, w, 1, b + node[k], x, x + node[k]);
        else
            NAME(gather_row)(node[k], degree, j, w, r, b, x);
    }
}

INLINE void NAME(push_run)(int64_t degree, int64_t count, const INDEX *node, const INDEX *j, const REAL *w,
                           int64_t r, REAL *x)
{
    for (int64_t k = count; k-- > 0;) {
        j -= degree;
        w -= degree;
        if (r == 1)
            NAME(scatter)(1, degree, j, w, 1, x + node[k], x);
        else
            NAME(scatter_row)(node[k], degree, j, w, r, x);
    }
}

#define EACH_DEGREE(run, ...)                                                                                       \
    switch (degree) {                                                                                               \
    case 0: run(0, __VA_ARGS__); break;                                                                             \
    case 1: run(1, __VA_ARGS__); break;                                                                             \
    case 2: run(2, __VA_ARGS__); break;                                                                             \
    case 3: run(3, __VA_ARGS__); break;                                                                             \
    case 4: run(4, __VA_ARGS__); break;                                                                             \
    case 5: run(5, __VA_ARGS__); break;                                                                             \
    case 6: run(6, __VA_ARGS__); break;                                                                             \
    case 7: run(7, __VA_ARGS__); break;                                                                             \
    case 8: run(8, __VA_ARGS__); break;                                                                             \
    default: run(degree, __VA_ARGS__);                                                                              \
    }

static void NAME(pull_planned)(const fb_plan *p, fb_cursor *at, int64_t budget, int64_t r, const void *b_, void *x_)
{
    const REAL *b = b_;
    REAL *x = x_;
    while (at->run < p->runs && budget > 0) {
        const int64_t count = p->run[at->run].count, degree = p->run[at->run].degree;
        const INDEX *node = (const INDEX *)p->node + at->row, *j = (const INDEX *)p->head + at->edge;
        const REAL *w = (const REAL *)p->weights + at->edge;
        if (r == 1) {
            EACH_DEGREE(NAME(pull_run), count, node, j, w, 1, b, x)
        } else
            NAME(pull_run)(degree, count, node, j, w, r, b, x);
        at->run++;
        at->row += count;
        at->edge += count * degree;
        budget -= count * (degree + 1) * r;
    }
}

static void NAME(push_planned)(const fb_plan *p, fb_cursor *at, int64_t budget, int64_t r, void *x_)
{
    REAL *x = x_;
    while (at->run > 0 && budget > 0) {
        const int64_t count = p->run[at->run - 1].count, degree = p->run[at->run - 1].degree;
        const INDEX *node = (const INDEX *)p->node + at->row - count, *j = (const INDEX *)p->head + at->edge;
        const REAL *w = (const REAL *)p->weights + at->edge;
        if (r == 1) {
            EACH_DEGREE(NAME(push_run), count, node, j, w, 1, x)
        } else
            NAME(push_run)(degree, count, node, j, w, r, x);
        at->run--;
        at->row -= count;
        at->edge -= count * degree;
        budget -= count * (degree + 1) * r;
    }
}

#undef EACH_DEGREE
