/* Products with a vector or few columns: dot products of rows of a, or sums of its columns. After tiles_dtype.h. */
#define DOTS 8       /* dot products with one vector at a time */
#define MOST_DOTS 12 /* with several: 9, and room for `sums` */

/* sum over p of x[p] y[p], both of unit stride */
INLINE REAL NAME(dot)(int64_t k, const REAL *x, const REAL *y)
{
    VECTOR sum[4] = {{0}, {0}, {0}, {0}};
    int64_t p = 0;
    for (; p + 4 * LANES <= k; p += 4 * LANES)
        for (int v = 0; v < 4; v++) sum[v] += LOAD(x + p + v * LANES) * LOAD(y + p + v * LANES);
    for (; p + LANES <= k; p += LANES) sum[0] += LOAD(x + p) * LOAD(y + p);
    sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    REAL total = 0;
    for (int64_t l = 0; l < LANES; l++) total += sum[0][l];
    for (; p < k; p++) total += x[p] * y[p];
    return total;
}

#define EIGHT(x) (WORD)(x), (WORD)(x), (WORD)(x), (WORD)(x), (WORD)(x), (WORD)(x), (WORD)(x), (WORD)(x)
static const WORD NAME(ends)[32] = {EIGHT(0), EIGHT(0), EIGHT(-1), EIGHT(-1)};
#undef EIGHT

/* Of the vector that ends at p, the last `count` lanes; the others are zero whatever stands there. */
INLINE VECTOR NAME(load_end)(const REAL *p, int64_t count)
{
    return (VECTOR)((WORDS)LOAD(p - LANES) & (WORDS)LOAD((const REAL *)NAME(ends) + 16 - LANES + count));
}

/* c[r, j] = alpha sum over p of x[r, p] y[j, p] + beta d[r, j] for a few rows and columns; p has unit stride */
INLINE void NAME(dots)(const int rows, const int columns, int64_t k, REAL alpha, const REAL *x, int64_t xrs,
                       const REAL *y, int64_t yrs, REAL beta, fb_view d, fb_view c)
{
    VECTOR sum[MOST_DOTS];
    REAL totals[MOST_DOTS];
    int64_t p = 0;
    for (int i = 0; i < rows * columns; i++) sum[i] = (VECTOR){0};
    for (; p + LANES <= k; p += LANES)
        for (int j = 0; j < columns; j++) {
            const VECTOR line = LOAD(y + j * yrs + p);
            for (int r = 0; r < rows; r++) sum[r * columns + j] += LOAD(x + r * xrs + p) * line;
        }
    if (p < k && p > 0) {
        for (int j = 0; j < columns; j++) {
            const VECTOR line = NAME(load_end)(y + j * yrs + k, k - p);
            for (int r = 0; r < rows; r++) sum[r * columns + j] += NAME(load_end)(x + r * xrs + k, k - p) * line;
        }
        p = k;
    }
    NAME(sums)(rows * columns, sum, totals);
    for (; p < k; p++)
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < columns; j++) totals[r * columns + j] += x[r * xrs + p] * y[j * yrs + p];
    if (alpha != 1)
        for (int i = 0; i < rows * columns; i++) totals[i] *= alpha;
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < columns; j++) {
            const REAL total = totals[r * columns + j];
            ROW(c, r)[j * c.cs] = beta == 0 ? total : total + beta * ROW(d, r)[j * d.cs];
        }
}

/* c = alpha a b + beta d for a of unit column stride and few columns: dot products of rows of a and columns of b */
static void NAME(few_columns)(int64_t m, int64_t n, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta, fb_view d,
                              fb_view c)
{
    REAL packed[PANEL_SIZE];
    const int64_t longest = b.rs == 1 ? k : PANEL_SIZE / n;
    for (int64_t p = 0; p < k; p += longest, beta = 1, d = c) {
        const int64_t depth = k - p < longest ? k - p : longest;
        const REAL *y = (const REAL *)b.p + p * b.rs;
        int64_t yrs = b.cs;
        if (b.rs != 1) {
            for (int64_t j = 0; j < n; j++)
                for (int64_t q = 0; q < depth; q++) packed[j * depth + q] = y[q * b.rs + j * b.cs];
            y = packed;
            yrs = depth;
        }
#define ROWS_OF_DOTS(rows, columns)                                                                                  \
    for (; i + (rows) <= m; i += (rows))                                                                             \
        NAME(dots)(rows, columns, depth, alpha, ROW(a, i) + p, a.rs, y + j * yrs, yrs, beta, NAME(at)(d, i, j),      \
                   NAME(at)(c, i, j));
        for (int64_t j = 0, columns; j < n; j += columns) {
            int64_t i = 0;
            columns = n - j == 4 ? 2 : n - j < 3 ? n - j : 3;
            if (columns == 3) {
                ROWS_OF_DOTS(3, 3)
                ROWS_OF_DOTS(1, 3)
            } else if (columns == 2) {
                ROWS_OF_DOTS(DOTS / 2, 2)
                ROWS_OF_DOTS(1, 2)
            } else {
                ROWS_OF_DOTS(DOTS, 1)
                ROWS_OF_DOTS(DOTS / 2, 1)
                ROWS_OF_DOTS(1, 1)
            }
        }
#undef ROWS_OF_DOTS
    }
}

/* sum[r] = lanes whose sum is that of x[r, p] y[p] over p; returns from where on p is left */
INLINE int64_t NAME(rows_times_vector)(const int rows, int64_t k, const REAL *x, int64_t xrs, const REAL *y, VECTOR *sum)
{
    int64_t p = 0;
    for (int r = 0; r < rows; r++) sum[r] = (VECTOR){0};
    for (; p + LANES <= k; p += LANES) {
        const VECTOR line = LOAD(y + p);
        for (int r = 0; r < rows; r++) sum[r] += LOAD(x + r * xrs + p) * line;
    }
    if (p < k && p > 0) {
        const VECTOR line = NAME(load_end)(y + k, k - p);
        for (int r = 0; r < rows; r++) sum[r] += NAME(load_end)(x + r * xrs + k, k - p) * line;
        p = k;
    }
    return p;
}

/* z = alpha x y + beta w for a few rows x */
INLINE void NAME(few_rows_times_vector)(const int rows, int64_t k, REAL alpha, const REAL *x, int64_t xrs, const REAL *y,
                                        REAL beta, const REAL *w, int64_t ws, REAL *z, int64_t zs)
{
    VECTOR sum[DOTS];
    REAL totals[DOTS];
    int64_t p = NAME(rows_times_vector)(rows, k, x, xrs, y, sum);
#if VBYTES < 64
    if (rows == DOTS && p == k && zs == 1 && (beta == 0 || ws == 1)) {
        for (int v = 0; v < DOTS / (int)LANES; v++) {
            const VECTOR total = alpha * NAME(sums_of_lanes)(sum + v * LANES);
            sum[v] = beta == 0 ? total : total + beta * LOAD(w + v * LANES);
        }
        for (int v = 0; v < DOTS / (int)LANES; v++) STORE(z + v * LANES, sum[v]);
        return;
    }
#endif
    NAME(sums)(rows, sum, totals);
    for (; p < k; p++)
        for (int r = 0; r < rows; r++) totals[r] += x[r * xrs + p] * y[p];
    for (int r = 0; r < rows; r++)
        z[r * zs] = beta == 0 ? alpha * totals[r] : alpha * totals[r] + beta * w[r * ws];
}

/* c = alpha a b + beta d for a of unit column stride, b of unit row stride, n = 1 */
INLINE void NAME(matrix_times_vector)(int64_t m, int64_t k, REAL alpha, fb_view a, const REAL *y, REAL beta, fb_view d,
                                      fb_view c)
{
    for (int64_t i = 0, rows; i < m; i += rows) {
        rows = m - i >= DOTS ? DOTS : m - i >= 4 ? 4 : m - i >= 2 ? 2 : 1;
#define FEW_ROWS(count)                                                                                                \
    case count:                                                                                                        \
        NAME(few_rows_times_vector)(count, k, alpha, ROW(a, i), a.rs, y, beta, ROW(d, i), d.rs, ROW(c, i), c.rs);      \
        break;
        switch (rows) {
            FEW_ROWS(DOTS)
            FEW_ROWS(4)
            FEW_ROWS(2)
            FEW_ROWS(1)
        }
#undef FEW_ROWS
    }
}

/* z = alpha sum over p of x[:, p] y[p] + beta w for `vectors` vectors of rows, the last of which begins at `last`. They
 * stay in registers, each as `sets` sums, so that none waits for itself. */
INLINE void NAME(block_of_columns)(const int vectors, const int sets, int64_t last, int64_t k, REAL alpha, const REAL *x,
                                   int64_t xcs, const REAL *y, int64_t ys, REAL beta, const REAL *w, REAL *z)
{
    VECTOR sum[4][8];
    for (int s = 0; s < sets; s++)
        for (int v = 0; v < vectors; v++) sum[s][v] = (VECTOR){0};
    int64_t p = 0;
    for (; p + sets <= k; p += sets, x += sets * xcs, y += sets * ys)
        for (int s = 0; s < sets; s++)
            for (int v = 0; v < vectors; v++)
                sum[s][v] += LOAD(x + s * xcs + (v < vectors - 1 ? v * LANES : last)) * y[s * ys];
    for (; p < k; p++, x += xcs, y += ys)
        for (int v = 0; v < vectors; v++) sum[0][v] += LOAD(x + (v < vectors - 1 ? v * LANES : last)) * *y;
    for (int v = 0; v < vectors; v++) { /* all are read before any is written, because the last may overlap */
        for (int s = 1; s < sets; s++) sum[0][v] += sum[s][v];
        sum[0][v] *= alpha;
        if (beta != 0)
            sum[0][v] += beta * LOAD(w + (v < vectors - 1 ? v * LANES : last));
    }
    for (int v = 0; v < vectors; v++) STORE(z + (v < vectors - 1 ? v * LANES : last), sum[0][v]);
}

/* c = alpha a b + beta d for a and c of unit row stride, d, too, unless beta = 0; m >= LANES and n = 1 */
static void NAME(blocks_of_columns)(int64_t m, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta, fb_view d,
                                    fb_view c)
{
    int64_t vectors = (m + LANES - 1) / LANES;
    for (int64_t i = 0, left = (vectors + 7) / 8; left > 0; left--) {
        const int64_t count = (vectors + left - 1) / left, next = i + count * LANES;
        const int64_t last = (next < m ? next : m) - LANES - i;
        const REAL *x = ROW(a, i), *y = (const REAL *)b.p, *w = ROW(d, i);
        REAL *z = ROW(c, i);
        switch (count) {
        case 1: NAME(block_of_columns)(1, 4, last, k, alpha, x, a.cs, y, b.rs, beta, w, z); break;
        case 2: NAME(block_of_columns)(2, 4, last, k, alpha, x, a.cs, y, b.rs, beta, w, z); break;
        case 3: NAME(block_of_columns)(3, 2, last, k, alpha, x, a.cs, y, b.rs, beta, w, z); break;
        case 4: NAME(block_of_columns)(4, 2, last, k, alpha, x, a.cs, y, b.rs, beta, w, z); break;
        case 5: NAME(block_of_columns)(5, 2, last, k, alpha, x, a.cs, y, b.rs, beta, w, z); break;
        case 6: NAME(block_of_columns)(6, 2, last, k, alpha, x, a.cs, y, b.rs, beta, w, z); break;
        case 7: NAME(block_of_columns)(7, 1, last, k, alpha, x, a.cs, y, b.rs, beta, w, z); break;
        default: NAME(block_of_columns)(8, 1, last, k, alpha, x, a.cs, y, b.rs, beta, w, z);
        }
        vectors -= count;
        i = next;
    }
}

/* c = alpha a b + beta d for a of unit row stride and n = 1: a sum of columns of a */
static void NAME(sum_of_columns)(int64_t m, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta, fb_view d,
                                 fb_view c)
{
    if (m >= LANES && c.rs == 1 && (beta == 0 || d.rs == 1)) {
        NAME(blocks_of_columns)(m, k, alpha, a, b, beta, d, c);
        return;
    }
    REAL sum[PANEL_SIZE];
    for (int64_t top = 0; top < m; top += PANEL_SIZE) {
        const int64_t length = m - top < PANEL_SIZE ? m - top : PANEL_SIZE;
        const fb_view part = NAME(at)(a, top, 0), total = {1, 1, (char *)sum};
        const REAL *w = ROW(d, top);
        REAL *z = ROW(c, top);
        if (length >= LANES)
            NAME(blocks_of_columns)(length, k, alpha, part, b, 0, total, total);
        else
            for (int64_t i = 0; i < length; i++) {
                sum[i] = 0;
                for (int64_t p = 0; p < k; p++) sum[i] += ROW(part, i)[p * a.cs] * ((const REAL *)b.p)[p * b.rs];
                sum[i] *= alpha;
            }
        for (int64_t i = 0; i < length; i++) z[i * c.rs] = beta == 0 ? sum[i] : sum[i] + beta * w[i * d.rs];
    }
}

/* c = alpha a b + beta d for a of unit row stride and n < LANES: b' a' by tiles, then transposed */
static void NAME(few_columns_transposed)(int64_t m, int64_t n, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta,
                                         fb_view d, fb_view c)
{
    REAL block[WIDTH * 64];
    const fb_view line = {64, 1, (char *)block}, left = NAME(transposed)(b);
    for (int64_t i = 0; i < m; i += 64) {
        const int64_t length = m - i < 64 ? m - i : 64;
        const fb_view right = {a.cs, 1, (char *)ROW(a, i)};
        NAME(tiles)(n, length, k, alpha, left, right, 0, line, line);
        for (int64_t l = 0; l < length; l++)
            for (int64_t j = 0; j < n; j++) {
                const REAL x = block[j * 64 + l];
                ROW(c, i + l)[j * c.cs] = beta == 0 ? x : x + beta * ROW(d, i + l)[j * d.cs];
            }
    }
}

#undef DOTS
#undef MOST_DOTS
