/* Kronecker chains of one dtype, REAL.
 *
 * The one product: c (rows, COLUMNS) = l (rows, n) r (n, COLUMNS), with c in registers, l read element by element.
 */
#define COLUMNS ((int64_t)(64 / sizeof(REAL))) /* a cache line */
#define PARTS (64 / VECTOR_BYTES)              /* vectors of a line */
#define ROWS (12 / PARTS)                      /* c and a line of r fit into 16 registers */
#define LARGE 65                               /* from here on BLAS is faster */

#if defined(__GNUC__)
typedef REAL NAME(vector) __attribute__((vector_size(VECTOR_BYTES)));
#define WIDTH ((int64_t)(VECTOR_BYTES / sizeof(REAL)))

INLINE void NAME(block)(const int rows, int64_t n, const REAL *l, int64_t ls, int64_t lk, const REAL *r, int64_t rk,
                        REAL *c, int64_t cs)
{
    NAME(vector) sum[ROWS][PARTS], x[PARTS];
    for (int i = 0; i < rows; i++)
        for (int p = 0; p < PARTS; p++) sum[i][p] = (NAME(vector)){0};
    for (int64_t k = 0; k < n; k++) {
        for (int p = 0; p < PARTS; p++) memcpy(&x[p], r + k * rk + p * WIDTH, sizeof(x[p]));
        for (int i = 0; i < rows; i++) {
            const REAL a = l[i * ls + k * lk];
            for (int p = 0; p < PARTS; p++) sum[i][p] += a * x[p];
        }
    }
    for (int i = 0; i < rows; i++)
        for (int p = 0; p < PARTS; p++) memcpy(c + i * cs + p * WIDTH, &sum[i][p], sizeof(x[p]));
}
#else
INLINE void NAME(block)(const int rows, int64_t n, const REAL *l, int64_t ls, int64_t lk, const REAL *r, int64_t rk,
                        REAL *c, int64_t cs)
{
    for (int i = 0; i < rows; i++)
        for (int64_t j = 0; j < COLUMNS; j++) {
            REAL sum = 0;
            for (int64_t k = 0; k < n; k++) sum += l[i * ls + k * lk] * r[k * rk + j];
            c[i * cs + j] = sum;
        }
}
#endif

/* c (m, COLUMNS) = l (m, n) r (n, COLUMNS), in blocks of nearly equal height */
static void NAME(panel)(int64_t m, int64_t n, const REAL *l, int64_t ls, int64_t lk, const REAL *r, int64_t rk, REAL *c,
                        int64_t cs)
{
    for (int64_t blocks = (m + ROWS - 1) / ROWS; blocks > 0; blocks--) {
        const int64_t rows = (m + blocks - 1) / blocks;
        switch (rows) {
#define BLOCK(g)                                                                                                       \
    case g: NAME(block)(g < ROWS ? g : ROWS, n, l, ls, lk, r, rk, c, cs); break;
            BLOCK(1) BLOCK(2) BLOCK(3) BLOCK(4) BLOCK(5) BLOCK(6)
#undef BLOCK
        }
        m -= rows;
        l += rows * ls;
        c += rows * cs;
    }
}

/* y (before, m) = x (before, n) A^T: the panel is COLUMNS rows of A, packed; the last one overlaps the one before, or
 * what it writes too much the next row writes over. Complex rows are real ones, of A as [re, im; -im, re]. */
static void NAME(last_mode)(const fb_mode *mode, int pairs, int64_t before, const REAL *x, REAL *y, REAL *packed)
{
    const int64_t m = pairs ? 2 * mode->m : mode->m, n = pairs ? 2 * mode->n : mode->n;
    const int64_t whole = m < COLUMNS ? before - (COLUMNS - 1) / m : before; /* rows with room behind them */
    const REAL *a = mode->a;
    REAL part[COLUMNS * COLUMNS];
    for (int64_t j = 0; j < m; j += COLUMNS) {
        const int64_t at = m < COLUMNS ? 0 : j + COLUMNS > m ? m - COLUMNS : j;
        for (int64_t k = 0; k < n; k++)
            for (int64_t c = 0; c < COLUMNS; c++) {
                const int64_t i = at + c;
                REAL e = 0;
                if (i < m && pairs)
                    e = a[i / 2 * mode->rs + (k ^ (i & 1))] * (k & ~i & 1 ? -1 : 1);
                else if (i < m)
                    e = a[i * mode->rs + k * mode->cs];
                packed[k * COLUMNS + c] = e;
            }
        if (whole > 0)
            NAME(panel)(whole, n, x, n, 1, packed, COLUMNS, y + at, m);
        for (int64_t p = whole > 0 ? whole : 0; p < before; p++) {
            NAME(panel)(1, n, x + p * n, n, 1, packed, COLUMNS, part, COLUMNS);
            memcpy(y + p * m, part, m * sizeof(REAL));
        }
    }
}

/* i x of a line of x */
INLINE void NAME(turn)(const REAL *x, REAL *ix)
{
    for (int64_t c = 0; c < COLUMNS; c += 2) {
        ix[c] = -x[c + 1];
        ix[c + 1] = x[c];
    }
}

/* y (before, m, after) = sum over n of A x (before, n, after): a panel is COLUMNS columns of one x[p], the last one
 * overlapping the one before */
static void NAME(wide_mode)(const fb_mode *mode, int pairs, int64_t before, int64_t after, const REAL *x, REAL *y,
                            REAL *packed)
{
    const int64_t m = mode->m, n = mode->n, line = pairs ? 2 * COLUMNS : COLUMNS;
    /* lines a multiple of 2 KB apart fall into few sets of the cache */
    const int pack = pairs || (n > 4 && after * sizeof(REAL) % 2048 == 0);
    for (int64_t p = 0; p < before; p++, x += n * after, y += m * after)
        for (int64_t j = 0; j < after; j += COLUMNS) {
            const int64_t q = j + COLUMNS > after ? after - COLUMNS : j;
            if (pack) {
                for (int64_t k = 0; k < n; k++) memcpy(packed + k * line, x + q + k * after, 64);
                for (int64_t k = 0; pairs && k < n; k++) NAME(turn)(packed + k * line, packed + k * line + COLUMNS);
                NAME(panel)(m, pairs ? 2 * n : n, mode->a, mode->rs, mode->cs, packed, COLUMNS, y + q, after);
            } else
                NAME(panel)(m, n, mode->a, mode->rs, mode->cs, x + q, after, y + q, after);
        }
}

/* The same with fewer columns: a panel is those of several x[p] */
static void NAME(narrow_mode)(const fb_mode *mode, int pairs, int64_t before, int64_t after, const REAL *x, REAL *y,
                              REAL *packed)
{
    const int64_t m = mode->m, n = mode->n, size_x = n * after, size_y = m * after;
    const int64_t lines = pairs ? 2 * n : n, line = pairs ? 2 * COLUMNS : COLUMNS;
    REAL *part = packed + (lines + 1) * COLUMNS;
    const REAL *end_x = x + before * size_x, *end_y = y + before * size_y;
    memset(packed, 0, lines * 64);
    const int64_t most = COLUMNS / after;
    for (int64_t p = 0; p < before; p += most) {
        const int64_t group = before - p < most ? before - p : most;
        for (int64_t k = 0; k < n; k++) {
            for (int64_t g = 0; g < group; g++) {
                const REAL *from = x + (p + g) * size_x + k * after;
                REAL *to = packed + k * line + g * after;
                if (from <= end_x - COLUMNS) /* a whole line at once; the next one is written over what is too much */
                    memcpy(to, from, 64);
                else
                    for (int64_t c = 0; c < after; c++) to[c] = from[c];
            }
            if (pairs)
                NAME(turn)(packed + k * line, packed + k * line + COLUMNS);
        }
        NAME(panel)(m, lines, mode->a, mode->rs, mode->cs, packed, COLUMNS, part, COLUMNS);
        for (int64_t g = 0; g < group; g++) {
            REAL *z = y + (p + g) * size_y;
            for (int64_t i = 0; i < m; i++)
                if (z + i * after <= end_y - COLUMNS) /* what is too much is written over later */
                    memcpy(z + i * after, part + i * COLUMNS + g * after, 64);
                else
                    for (int64_t c = 0; c < after; c++) z[i * after + c] = part[i * COLUMNS + g * after + c];
        }
    }
}

/* The same by BLAS, whose matrices are our transposed ones */
static void NAME(gemm_mode)(fb_gemm gemm, const fb_mode *mode, int pairs, int64_t before, int64_t after,
                            const REAL *x, REAL *y)
{
    int m = (int)mode->m, n = (int)mode->n, p = (int)before, q = (int)(pairs ? after / 2 : after);
    const int by_rows = mode->cs == 1;
    int ld = (int)((by_rows ? mode->rs : mode->cs) / (pairs ? 2 : 1));
    REAL one[2] = {1, 0}, zero[2] = {0, 0};
    if (q == 1) { /* Y^T = A X^T */
        gemm(by_rows ? "T" : "N", "N", &m, &p, &n, one, (void *)mode->a, &ld, (void *)x, &n, zero, y, &m);
        return;
    }
    for (int64_t i = 0; i < before; i++) /* Y^T = X^T A^T */
        gemm("N", by_rows ? "N" : "T", &q, &m, &n, one, (void *)(x + i * mode->n * after), &q, (void *)mode->a, &ld,
             zero, y + i * mode->m * after, &q);
}

static int NAME(is_large)(const fb_mode *mode, int64_t before, int64_t after)
{
    const int64_t ld = mode->cs == 1 ? mode->rs : mode->cs, most = INT32_MAX;
    return mode->m >= LARGE && mode->n >= LARGE && (mode->cs == 1 || mode->rs == 1)
           && ld >= (mode->cs == 1 ? mode->n : mode->m) && ld <= most && before <= most && after <= most
           && mode->m <= most && mode->n <= most;
}

/* `count` modes, one after the other, between two buffers; dims are those of the axes from `from` on */
static void NAME(modes)(const fb_chain *chain, const int *order, int count, int from, int64_t *dims, const REAL *x,
                        REAL *y, REAL *first, REAL *second, REAL *packed)
{
    for (int t = 0; t < count; t++) {
        const int axis = order[t];
        const fb_mode *mode = chain->mode + axis;
        REAL *target = t == count - 1 ? y : t % 2 ? second : first;
        int64_t before = 1, after = chain->pairs ? 2 : 1;
        for (int a = from; a < axis; a++) before *= dims[a];
        for (int a = axis + 1; a < chain->modes; a++) after *= dims[a];
        if (NAME(is_large)(mode, before, after))
            NAME(gemm_mode)(chain->gemm, mode, chain->pairs, before, after, x, target);
        else if (after == (chain->pairs ? 2 : 1))
            NAME(last_mode)(mode, chain->pairs, before, x, target, packed);
        else if (after < COLUMNS)
            NAME(narrow_mode)(mode, chain->pairs, before, after, x, target, packed);
        else
            NAME(wide_mode)(mode, chain->pairs, before, after, x, target, packed);
        dims[axis] = mode->m;
        x = target;
    }
}

static void NAME(run)(const fb_chain *chain, const void *x_, void *y_, void *workspace)
{
    const REAL *x = x_;
    REAL *first = workspace, *second = first + chain->largest, *slab = second + chain->largest;
    REAL *packed = slab + 2 * chain->slab;
    int64_t dims[FB_MODES], slabs = 1, size_in = chain->pairs ? 2 : 1, size_out = size_in;
    for (int a = 0; a < chain->modes; a++) dims[a] = chain->mode[a].n;
    const int *order = chain->order;
    int count = chain->modes;
    if (chain->inside) {
        const int from = chain->from;
        int64_t inner[FB_MODES];
        for (int a = 0; a < from; a++) slabs *= dims[a];
        for (int a = from; a < chain->modes; a++) size_in *= dims[a];
        for (int t = 0; t < chain->inside; t++) dims[order[t]] = chain->mode[order[t]].m;
        for (int a = from; a < chain->modes; a++) size_out *= dims[a];
        for (int64_t s = 0; s < slabs; s++) {
            for (int a = from; a < chain->modes; a++) inner[a] = chain->mode[a].n;
            NAME(modes)(chain, order, chain->inside, from, inner, x + s * size_in, second + s * size_out, slab,
                        slab + chain->slab, packed);
        }
        x = second;
        order += chain->inside;
        count -= chain->inside;
    }
    NAME(modes)(chain, order, count, 0, dims, x, y_, first, second, packed);
}

#undef COLUMNS
#undef PARTS
#undef ROWS
#undef LARGE
#undef WIDTH
