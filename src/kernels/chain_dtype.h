/* Kronecker chains of one dtype, REAL.
 *
 * The one product: c (rows, width) = l (rows, n) r (n, width), with c in registers, l read element by element. The
 * width is one cache line, or two where they fit into registers.
 */
#define LINE ((int64_t)(64 / sizeof(REAL)))
#define PARTS (64 / VECTOR_BYTES) /* vectors of a line */

#if defined(__GNUC__)
typedef REAL NAME(vector) __attribute__((vector_size(VECTOR_BYTES)));
#define WIDTH ((int64_t)(VECTOR_BYTES / sizeof(REAL)))

INLINE void NAME(block)(const int rows, const int lines, int64_t n, const REAL *l, int64_t ls, int64_t lk,
                        const REAL *r, int64_t rk, REAL *c, int64_t cs)
{
    NAME(vector) sum[ROWS][LINES * PARTS], x[LINES * PARTS];
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int p = 0; p < lines * PARTS; p++) sum[i][p] = (NAME(vector)){0};
    }
    for (int64_t k = 0; k < n; k++) {
        UNROLL
        for (int p = 0; p < lines * PARTS; p++) memcpy(&x[p], r + k * rk + p * WIDTH, sizeof(x[p]));
        UNROLL
        for (int i = 0; i < rows; i++) {
            const REAL a = l[i * ls + k * lk];
            UNROLL
            for (int p = 0; p < lines * PARTS; p++) sum[i][p] += a * x[p];
        }
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int p = 0; p < lines * PARTS; p++) memcpy(c + i * cs + p * WIDTH, &sum[i][p], sizeof(x[p]));
    }
}
#else
INLINE void NAME(block)(const int rows, const int lines, int64_t n, const REAL *l, int64_t ls, int64_t lk,
                        const REAL *r, int64_t rk, REAL *c, int64_t cs)
{
    for (int i = 0; i < rows; i++)
        for (int64_t j = 0; j < lines * LINE; j++) {
            REAL sum = 0;
            for (int64_t k = 0; k < n; k++) sum += l[i * ls + k * lk] * r[k * rk + j];
            c[i * cs + j] = sum;
        }
}
#endif

/* The rows of a matrix in blocks of nearly equal height: its first `more` blocks have `height` + 1 rows */
#define EACH_BLOCK(m, BLOCK)                                                                                           \
    const int64_t blocks = ((m) + ROWS - 1) / ROWS, height = (m) / blocks, more = (m) % blocks;                        \
    for (int64_t t = 0; t < blocks; t++) switch (t < more ? height + 1 : height) {                                     \
            BLOCK(1) BLOCK(2) BLOCK(3) BLOCK(4) BLOCK(5) BLOCK(6)                                                      \
            BLOCK(7) BLOCK(8) BLOCK(9) BLOCK(10) BLOCK(11) BLOCK(12)                                                   \
        }

/* c = A r, for A packed in blocks of rows, each of them by columns */
INLINE void NAME(panel_of)(const int lines, int64_t m, int64_t n, const REAL *l, const REAL *r, int64_t rk, REAL *c,
                           int64_t cs)
{
#define BLOCK(g)                                                                                                       \
    case g:                                                                                                            \
        if (g <= ROWS)                                                                                                 \
            NAME(block)(g < ROWS ? g : ROWS, lines, n, l, 1, g, r, rk, c, cs);                                         \
        l += g * n;                                                                                                    \
        c += g * cs;                                                                                                   \
        break;
    EACH_BLOCK(m, BLOCK)
#undef BLOCK
}

/* c = x B, for x contiguous and B packed */
INLINE void NAME(rows_of)(const int lines, int64_t m, int64_t n, const REAL *l, const REAL *r, REAL *c, int64_t cs)
{
#define BLOCK(g)                                                                                                       \
    case g:                                                                                                            \
        if (g <= ROWS)                                                                                                 \
            NAME(block)(g < ROWS ? g : ROWS, lines, n, l, n, 1, r, lines * LINE, c, cs);                               \
        l += g * n;                                                                                                    \
        c += g * cs;                                                                                                   \
        break;
    EACH_BLOCK(m, BLOCK)
#undef BLOCK
}

static void NAME(panel)(int lines, int64_t m, int64_t n, const REAL *l, const REAL *r, int64_t rk, REAL *c, int64_t cs)
{
    if (LINES == 1 || lines == LINES)
        NAME(panel_of)(LINES, m, n, l, r, rk, c, cs);
    else
        NAME(panel_of)(1, m, n, l, r, rk, c, cs);
}

static void NAME(rows)(int lines, int64_t m, int64_t n, const REAL *l, const REAL *r, REAL *c, int64_t cs)
{
    if (LINES == 1 || lines == LINES)
        NAME(rows_of)(LINES, m, n, l, r, c, cs);
    else
        NAME(rows_of)(1, m, n, l, r, c, cs);
}

/* The last axis: columns of A^T, `lines` lines of them at a time, the last ones overlapping those before. Complex rows
 * are real ones, of A as [re, im; -im, re]. */
static void NAME(pack_last)(const fb_mode *mode, int pairs, REAL *to)
{
    const int64_t m = pairs ? 2 * mode->m : mode->m, n = pairs ? 2 * mode->n : mode->n;
    const REAL *a = mode->a;
    for (int64_t j = 0, width; j < m; j += width) {
        width = m - j >= LINES * LINE ? LINES * LINE : LINE;
        const int64_t at = m < LINE ? 0 : j + width > m ? m - width : j;
        for (int64_t k = 0; k < n; k++)
            for (int64_t i = at; i < at + width; i++) {
                REAL e = 0;
                if (i < m && pairs)
                    e = a[i / 2 * mode->rs + (k ^ (i & 1))] * (k & ~i & 1 ? -1 : 1);
                else if (i < m)
                    e = a[i * mode->rs + k * mode->cs];
                *to++ = e;
            }
    }
}

/* The other axes: blocks of rows */
static void NAME(pack_rows)(const fb_mode *mode, int pairs, REAL *to)
{
    const int64_t n = pairs ? 2 * mode->n : mode->n;
    const REAL *a = mode->a;
#define BLOCK(g)                                                                                                       \
    case g:                                                                                                            \
        for (int64_t k = 0; k < n; k++)                                                                                \
            for (int64_t i = 0; i < g; i++) *to++ = a[i * mode->rs + k * mode->cs];                                    \
        a += g * mode->rs;                                                                                             \
        break;
    EACH_BLOCK(mode->m, BLOCK)
#undef BLOCK
}

/* y (before, m) = x (before, n) A^T; what a row of less than a line writes too much, the next row writes over */
static void NAME(last_mode)(const fb_mode *mode, int pairs, int64_t before, const REAL *x, REAL *y)
{
    const int64_t m = pairs ? 2 * mode->m : mode->m, n = pairs ? 2 * mode->n : mode->n;
    const int64_t whole = m < LINE ? before - (LINE - 1) / m : before; /* rows with room behind them */
    const REAL *a = mode->packed;
    REAL part[LINE];
    for (int64_t j = 0, width; j < m; j += width, a += n * width) {
        width = m - j >= LINES * LINE ? LINES * LINE : LINE;
        const int64_t at = m < LINE ? 0 : j + width > m ? m - width : j;
        if (whole > 0)
            NAME(rows)((int)(width / LINE), whole, n, x, a, y + at, m);
        for (int64_t p = whole > 0 ? whole : 0; p < before; p++) {
            NAME(rows)(1, 1, n, x + p * n, a, part, LINE);
            memcpy(y + p * m, part, m * sizeof(REAL));
        }
    }
}

/* i x of a line of x */
INLINE void NAME(turn)(const REAL *x, REAL *ix)
{
    for (int64_t c = 0; c < LINE; c += 2) {
        ix[c] = -x[c + 1];
        ix[c + 1] = x[c];
    }
}

/* `lines` lines of columns of y (before, m, after) = sum over n of A x (before, n, after), whose rows are xs and ys
 * apart */
static void NAME(strip)(const fb_mode *mode, int pairs, int lines, int64_t before, int64_t after, const REAL *x,
                        int64_t xs, REAL *y, int64_t ys, REAL *packed)
{
    const int64_t m = mode->m, n = mode->n, width = lines * LINE;
    /* rows that are read more than once come together first: far apart they fall into few sets of the cache */
    const int pack = pairs || (m > ROWS && (xs > width || x == y));
    for (int64_t b = 0; b < before; b++, x += (n - 1) * after * xs, y += (m - 1) * after * ys)
        for (int64_t a = 0; a < after; a++, x += xs, y += ys) {
            if (pack) {
                for (int64_t k = 0; k < n; k++)
                    for (int64_t l = 0; l < lines; l++) {
                        REAL *to = packed + (pairs ? 2 * k * width : k * width) + l * LINE;
                        memcpy(to, x + k * after * xs + l * LINE, 64);
                        if (pairs)
                            NAME(turn)(to, to + width);
                    }
                NAME(panel)(lines, m, pairs ? 2 * n : n, mode->packed, packed, width, y, after * ys);
            } else
                NAME(panel)(lines, m, n, mode->packed, x, after * xs, y, after * ys);
        }
}

/* The same for all columns, at least a line of them; the last strip may overlap the one before */
static void NAME(wide_mode)(const fb_mode *mode, int pairs, int64_t before, int64_t after, const REAL *x, REAL *y,
                            REAL *packed)
{
    for (int64_t p = 0; p < before; p++, x += mode->n * after, y += mode->m * after)
        for (int64_t j = 0, width; j < after; j += width) {
            width = after - j >= LINES * LINE ? LINES * LINE : LINE;
            const int64_t q = j + width > after ? after - width : j;
            NAME(strip)(mode, pairs, (int)(width / LINE), 1, 1, x + q, after, y + q, after, packed);
        }
}

/* The same with fewer columns: a panel is those of several x[p] */
static void NAME(narrow_mode)(const fb_mode *mode, int pairs, int64_t before, int64_t after, const REAL *x, REAL *y,
                              REAL *packed)
{
    const int64_t m = mode->m, n = mode->n, size_x = n * after, size_y = m * after;
    const int64_t lines = pairs ? 2 * n : n, line = pairs ? 2 * LINE : LINE;
    REAL *part = packed + (lines + 1) * LINE;
    const REAL *end_x = x + before * size_x, *end_y = y + before * size_y;
    memset(packed, 0, lines * 64);
    const int64_t most = LINE / after;
    for (int64_t p = 0; p < before; p += most) {
        const int64_t group = before - p < most ? before - p : most;
        for (int64_t k = 0; k < n; k++) {
            for (int64_t g = 0; g < group; g++) {
                const REAL *from = x + (p + g) * size_x + k * after;
                REAL *to = packed + k * line + g * after;
                if (from <= end_x - LINE) /* a whole line at once; the next one is written over what is too much */
                    memcpy(to, from, 64);
                else
                    for (int64_t c = 0; c < after; c++) to[c] = from[c];
            }
            if (pairs)
                NAME(turn)(packed + k * line, packed + k * line + LINE);
        }
        NAME(panel)(1, m, lines, mode->packed, packed, LINE, part, LINE);
        for (int64_t g = 0; g < group; g++) {
            REAL *z = y + (p + g) * size_y;
            for (int64_t i = 0; i < m; i++)
                if (z + i * after <= end_y - LINE) /* what is too much is written over later */
                    memcpy(z + i * after, part + i * LINE + g * after, 64);
                else
                    for (int64_t c = 0; c < after; c++) z[i * after + c] = part[i * LINE + g * after + c];
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

/* A mode of an array whose axes from `from` on have these dims */
static void NAME(mode)(const fb_chain *chain, int axis, int from, const int64_t *dims, const REAL *x, REAL *y,
                       REAL *packed)
{
    const fb_mode *mode = chain->mode + axis;
    const int64_t unit = chain->pairs ? 2 : 1;
    int64_t before = 1, after = unit;
    for (int a = from; a < axis; a++) before *= dims[a];
    for (int a = axis + 1; a < chain->modes; a++) after *= dims[a];
    if (mode->is_large)
        NAME(gemm_mode)(chain->gemm, mode, chain->pairs, before, after, x, y);
    else if (axis == chain->modes - 1)
        NAME(last_mode)(mode, chain->pairs, before, x, y);
    else if (after < LINE)
        NAME(narrow_mode)(mode, chain->pairs, before, after, x, y, packed);
    else
        NAME(wide_mode)(mode, chain->pairs, before, after, x, y, packed);
}

/* The modes of a pass, for all columns of one x[p] */
static void NAME(slab)(const fb_chain *chain, const fb_pass *pass, const int *order, const int64_t *dims, const REAL *x,
                       REAL *y, REAL *packed, REAL *slab)
{
    int64_t now[FB_MODES];
    for (int a = pass->from; a < chain->modes; a++) now[a] = dims[a];
    for (int t = 0; t < pass->count; t++) {
        REAL *to = t == pass->count - 1 ? y : slab + (t % 2 ? chain->slab : 0);
        NAME(mode)(chain, order[t], pass->from, now, x, to, packed);
        now[order[t]] = chain->mode[order[t]].m;
        x = to;
    }
}

/* The modes of a pass, for one strip of one x[p] */
static void NAME(strips)(const fb_chain *chain, const fb_pass *pass, const int *order, const int64_t *dims, int lines,
                         int64_t step, const REAL *x, REAL *y, REAL *packed, REAL *slab)
{
    int64_t now[FB_MODES], xs = step, width = lines * LINE;
    for (int a = pass->from; a < pass->to; a++) now[a] = dims[a];
    for (int t = 0; t < pass->count; t++) {
        const int last = t == pass->count - 1, axis = order[t];
        REAL *to = last ? y : slab + (t % 2 ? chain->slab : 0);
        const int64_t ys = last ? step : width;
        int64_t before = 1, after = 1;
        for (int a = pass->from; a < axis; a++) before *= now[a];
        for (int a = axis + 1; a < pass->to; a++) after *= now[a];
        NAME(strip)(chain->mode + axis, chain->pairs, lines, before, after, x, xs, to, ys, packed);
        now[axis] = chain->mode[axis].m;
        x = to;
        xs = ys;
    }
}

static void NAME(run)(const fb_chain *chain, const void *x_, void *y_, void *workspace)
{
    const REAL *x = x_;
    REAL *packed = (REAL *)aligned(workspace) + chain->packed;
    REAL *slab = packed + chain->panel, *buffers[3] = {y_, slab + 2 * chain->slab, NULL};
    buffers[2] = buffers[1] + chain->largest;
    int64_t dims[FB_MODES];
    for (int a = 0; a < chain->modes; a++) dims[a] = chain->mode[a].n;
    const int *order = chain->order;
    for (int t = 0; t < chain->passes; t++) {
        const fb_pass *pass = chain->pass + t;
        REAL *y = buffers[pass->target];
        int64_t before = 1, after = chain->pairs ? 2 : 1, size_x = 1, size_y = 1;
        for (int a = 0; a < pass->from; a++) before *= dims[a];
        for (int a = pass->to; a < chain->modes; a++) after *= dims[a];
        for (int a = pass->from; a < pass->to; a++) size_x *= dims[a];
        if (pass->count == 1) {
            NAME(mode)(chain, order[0], 0, dims, x, y, packed);
            dims[order[0]] = chain->mode[order[0]].m;
        } else {
            int64_t now[FB_MODES];
            memcpy(now, dims, chain->modes * sizeof(int64_t));
            for (int s = 0; s < pass->count; s++) dims[order[s]] = chain->mode[order[s]].m;
            for (int a = pass->from; a < pass->to; a++) size_y *= dims[a];
            for (int64_t p = 0; p < before; p++) {
                const REAL *from = x + p * size_x * after;
                REAL *to = y + p * size_y * after;
                if (pass->to == chain->modes)
                    NAME(slab)(chain, pass, order, now, from, to, packed, slab);
                else
                    for (int64_t j = 0, width; j < after; j += width) {
                        width = after - j >= LINES * LINE ? LINES * LINE : LINE;
                        const int64_t q = j + width > after ? after - width : j;
                        NAME(strips)(chain, pass, order, now, (int)(width / LINE), after, from + q, to + q, packed,
                                     slab);
                    }
            }
        }
        x = y;
        order += pass->count;
    }
}

static void NAME(pack)(fb_chain *chain, void *workspace)
{
    REAL *start = (REAL *)aligned(workspace);
    for (int a = 0; a < chain->modes; a++) {
        fb_mode *mode = chain->mode + a;
        if (mode->is_large)
            continue;
        if (a == chain->modes - 1)
            NAME(pack_last)(mode, chain->pairs, start + mode->at);
        else
            NAME(pack_rows)(mode, chain->pairs, start + mode->at);
        mode->packed = start + mode->at;
    }
}

#undef LINE
#undef PARTS
#undef WIDTH
#undef EACH_BLOCK
