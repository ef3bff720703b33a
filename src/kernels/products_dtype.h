/* Products of small real matrices, register-blocked: c = alpha a b + beta c, any strides, c not read if beta = 0.
 *
 * A tile of c, up to ROWS x VECTORS vectors, stays in registers while k runs. Rows are split evenly among
 * tiles, and so are vectors, so that no tile is much smaller than its neighbours. Where n is not a multiple of
 * LANES, the last vector of a row overlaps the one before: nothing is computed in single elements.
 */

#define DOTS 8                                          /* dot products at a time */
#define PANEL_SIZE (PANEL_K * VECTORS * (int64_t)WIDTH) /* elements of a packed panel */

/* Where the columns of a panel lie: all vectors but the last side by side, the last one `last` behind the
 * first column; only its first `stored` lanes exist, and all of them unless the panel is that one vector. */
typedef struct {
    int vectors;
    int64_t last, stored;
} NAME(columns);

/* c[:rows, panel] = alpha a b + beta c. a (rows, k) has any strides, b (k, panel) unit column stride; its last
 * vector begins at b_last. */
INLINE void NAME(tile)(const int rows, const int vectors, NAME(columns) panel, int64_t k, REAL alpha, const REAL *a,
                       int64_t ars, int64_t acs, const REAL *b, int64_t brs, int64_t b_last, REAL beta, REAL *c,
                       int64_t crs)
{
    VECTOR sum[ROWS][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = (VECTOR){0};
    for (int64_t p = 0; p < k; p++, a += acs, b += brs) {
        VECTOR line[VECTORS];
        for (int v = 0; v < vectors; v++) line[v] = LOAD(b + (v < vectors - 1 ? v * LANES : b_last));
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++) sum[r][v] += a[r * ars] * line[v];
    }
    if (alpha != 1)
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++) sum[r][v] *= alpha;
    for (int r = 0; r < rows; r++, c += crs) {
        if (vectors == 1 && panel.stored < LANES) {
            REAL lanes[WIDTH];
            STORE(lanes, sum[r][0]);
            for (int64_t l = 0; l < panel.stored; l++) c[l] = beta == 0 ? lanes[l] : lanes[l] + beta * c[l];
            continue;
        }
        if (beta != 0) /* all are loaded before any is stored, because the last may overlap */
            for (int v = 0; v < vectors; v++) sum[r][v] += beta * LOAD(c + (v < vectors - 1 ? v * LANES : panel.last));
        for (int v = 0; v < vectors; v++) STORE(c + (v < vectors - 1 ? v * LANES : panel.last), sum[r][v]);
    }
}

INLINE void NAME(tile_of)(int64_t rows, NAME(columns) panel, int64_t k, REAL alpha, const REAL *a, int64_t ars,
                          int64_t acs, const REAL *b, int64_t brs, int64_t b_last, REAL beta, REAL *c, int64_t crs)
{
#define TILE(r, v)                                                                                 \
    case 4 * (v) + (r):                                                                            \
        NAME(tile)(r, v, panel, k, alpha, a, ars, acs, b, brs, b_last, beta, c, crs);              \
        break;
    switch (4 * panel.vectors + rows) {
        TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1)
        TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2)
        TILE(1, 3) TILE(2, 3) TILE(3, 3) TILE(4, 3)
    }
#undef TILE
}

/* packed (depth, vectors * LANES) = b (depth, panel) */
INLINE void NAME(pack)(NAME(columns) panel, int64_t depth, const REAL *b, int64_t brs, int64_t bcs, REAL *packed)
{
    const int64_t width = panel.vectors * LANES;
    if (panel.stored < LANES) { /* lanes that do not exist hold anything; nothing is read behind the last row */
        const int64_t end = (depth - 1) * brs + panel.stored;
        int64_t p = 0;
        for (; bcs == 1 && brs >= 0 && p * brs + LANES <= end; p++) STORE(packed + p * LANES, LOAD(b + p * brs));
        for (; p < depth; p++)
            for (int64_t l = 0; l < LANES; l++) packed[p * LANES + l] = l < panel.stored ? b[p * brs + l * bcs] : 0;
    } else if (bcs == 1)
        for (int64_t p = 0; p < depth; p++, b += brs, packed += width) {
            for (int64_t v = 0; v < panel.vectors - 1; v++) STORE(packed + v * LANES, LOAD(b + v * LANES));
            STORE(packed + width - LANES, LOAD(b + panel.last));
        }
    else
        for (int64_t v = 0; v < panel.vectors; v++) {
            const REAL *columns = b + (v < panel.vectors - 1 ? v * LANES : panel.last) * bcs;
            REAL *line = packed + v * LANES;
            int64_t p = 0;
            for (; brs == 1 && p + LANES <= depth; p += LANES) {
                VECTOR square[WIDTH];
                NAME(load_transposed)(columns + p, bcs, square);
                for (int64_t l = 0; l < LANES; l++) STORE(line + (p + l) * width, square[l]);
            }
            for (; p < depth; p++)
                for (int64_t l = 0; l < LANES; l++) line[p * width + l] = columns[l * bcs + p * brs];
        }
}

/* c[:, panel] += a b for one panel, by tiles of rows as equal as may be */
INLINE void NAME(tiles_of_panel)(int64_t m, NAME(columns) panel, int64_t k, REAL alpha, const REAL *a, int64_t ars,
                                 int64_t acs, const REAL *b, int64_t brs, int64_t b_last, REAL beta, REAL *c,
                                 int64_t crs)
{
    for (int64_t i = 0, left = (m + ROWS - 1) / ROWS; left > 0; left--) {
        const int64_t rows = (m - i) == left * ROWS ? ROWS : (int64_t)((uint32_t)(m - i) / (uint32_t)left);
        NAME(tile_of)(rows, panel, k, alpha, a + i * ars, ars, acs, b, brs, b_last, beta, c + i * crs, crs);
        i += rows;
    }
}

/* c = alpha a b + beta c for c of unit column stride. b is packed, a panel at a time, where its columns are
 * strided or where its lines lie so far apart that they would fall on the same lines of the cache. */
static void NAME(tiles)(int64_t m, int64_t n, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta, fb_view c)
{
    REAL packed[PANEL_SIZE];
    const int64_t vectors = (n + LANES - 1) / LANES, panels = (vectors + VECTORS - 1) / VECTORS;
    /* columns of a that fall on the same lines of the cache: fewer of them, so that they serve the next tile, too */
    const int64_t deepest = a.rs == 1 && a.cs * (int64_t)sizeof(REAL) % 1024 == 0 ? PANEL_K / 2 : PANEL_K;
    for (int64_t p = 0; p < k; p += deepest) {
        const int64_t depth = k - p < deepest ? k - p : deepest;
        const int far = depth * b.rs * (int64_t)sizeof(REAL) > NEAR && m > 4 * ROWS;
        for (int64_t top = 0; top < m; top += BLOCK_M) {
            const int64_t height = m - top < BLOCK_M ? m - top : BLOCK_M;
            const REAL *x = (const REAL *)a.p + top * a.rs + p * a.cs;
            for (int64_t j = 0, left = panels, v = vectors; left > 0; left--) {
                NAME(columns) panel = {(int)((v + left - 1) / left), 0, LANES};
                const int64_t next = j + panel.vectors * LANES;
                const REAL *y = (const REAL *)b.p + p * b.rs + j * b.cs;
                int64_t yrs = b.rs, y_last;
                panel.last = (next < n ? next : n) - LANES - j;
                if (n < LANES) {
                    panel.last = 0;
                    panel.stored = n;
                }
                y_last = panel.last;
                if (b.cs != 1 || far || n < LANES) {
                    NAME(pack)(panel, depth, y, b.rs, b.cs, packed);
                    y = packed;
                    yrs = panel.vectors * LANES;
                    y_last = yrs - LANES;
                }
                NAME(tiles_of_panel)(height, panel, depth, alpha, x, a.rs, a.cs, y, yrs, y_last, p == 0 ? beta : 1,
                                     (REAL *)c.p + top * c.rs + j, c.rs);
                v -= panel.vectors;
                j = next;
            }
        }
    }
}

/* c = alpha a b + beta c for c of unit column stride, k = 1: row by row; c may be b if m = 1 */
static void NAME(outer)(int64_t m, int64_t n, REAL alpha, fb_view a, fb_view b, REAL beta, fb_view c)
{
    REAL line[PANEL_SIZE];
    for (int64_t j = 0; j < n; j += PANEL_SIZE) {
        const int64_t length = n - j < PANEL_SIZE ? n - j : PANEL_SIZE;
        const REAL *y = (const REAL *)b.p + j * b.cs;
        if (b.cs != 1) {
            for (int64_t l = 0; l < length; l++) line[l] = y[l * b.cs];
            y = line;
        }
        for (int64_t i = 0; i < m; i++) {
            const REAL x = alpha * *ROW(a, i);
            REAL *z = ROW(c, i) + j;
            if (length < LANES)
                for (int64_t l = 0; l < length; l++) z[l] = beta == 0 ? x * y[l] : x * y[l] + beta * z[l];
            else if (beta == 0) {
                const VECTOR last = x * LOAD(y + length - LANES); /* first, because z may be y */
                for (int64_t l = 0; l < length - LANES; l += LANES) STORE(z + l, x * LOAD(y + l));
                STORE(z + length - LANES, last);
            } else {
                const VECTOR last = x * LOAD(y + length - LANES) + beta * LOAD(z + length - LANES);
                for (int64_t l = 0; l < length - LANES; l += LANES) STORE(z + l, x * LOAD(y + l) + beta * LOAD(z + l));
                STORE(z + length - LANES, last);
            }
        }
    }
}

/* c[r, j] = alpha sum over p of x[r, p] y[j, p] + beta c[r, j] for a few rows and columns; p has unit stride */
INLINE void NAME(dots)(const int rows, const int columns, int64_t k, REAL alpha, const REAL *x, int64_t xrs,
                       const REAL *y, int64_t yrs, REAL beta, REAL *c, int64_t crs, int64_t ccs)
{
    VECTOR sum[DOTS];
    REAL totals[DOTS];
    int64_t p = 0;
    for (int i = 0; i < rows * columns; i++) sum[i] = (VECTOR){0};
    for (; p + LANES <= k; p += LANES)
        for (int j = 0; j < columns; j++) {
            const VECTOR line = LOAD(y + j * yrs + p);
            for (int r = 0; r < rows; r++) sum[r * columns + j] += LOAD(x + r * xrs + p) * line;
        }
    NAME(sums)(rows * columns, sum, totals);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < columns; j++) {
            REAL *z = c + r * crs + j * ccs, total = totals[r * columns + j];
            for (int64_t q = p; q < k; q++) total += x[r * xrs + q] * y[j * yrs + q];
            *z = beta == 0 ? alpha * total : alpha * total + beta * *z;
        }
}

/* c = alpha a b + beta c for a of unit column stride and few columns: dot products of rows of a and columns of b */
static void NAME(few_columns)(int64_t m, int64_t n, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta, fb_view c)
{
    REAL packed[PANEL_SIZE];
    const int64_t longest = b.rs == 1 ? k : PANEL_SIZE / n;
    for (int64_t p = 0; p < k; p += longest, beta = 1) {
        const int64_t depth = k - p < longest ? k - p : longest;
        const REAL *y = (const REAL *)b.p + p * b.rs;
        int64_t yrs = b.cs;
        if (b.rs != 1) {
            for (int64_t j = 0; j < n; j++)
                for (int64_t q = 0; q < depth; q++) packed[j * depth + q] = y[q * b.rs + j * b.cs];
            y = packed;
            yrs = depth;
        }
#define ROWS_OF_DOTS(rows, columns)                                                                       \
    for (; i + (rows) <= m; i += (rows))                                                                  \
        NAME(dots)(rows, columns, depth, alpha, (const REAL *)a.p + i * a.rs + p, a.rs, y + j * yrs, yrs, \
                   beta, (REAL *)c.p + i * c.rs + j * c.cs, c.rs, c.cs);
        for (int64_t j = 0; j < n; j += 2) {
            int64_t i = 0;
            if (j + 1 < n) {
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

/* c = alpha a b + beta c for a of unit row stride and n = 1: a sum of columns of a, eight at a time */
static void NAME(sum_of_columns)(int64_t m, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta, fb_view c)
{
    REAL sum[PANEL_SIZE];
    for (int64_t top = 0; top < m; top += PANEL_SIZE) {
        const int64_t length = m - top < PANEL_SIZE ? m - top : PANEL_SIZE;
        const REAL *x = (const REAL *)a.p + top, *y = (const REAL *)b.p;
        REAL *z = (REAL *)c.p + top * c.rs;
        int64_t p = 0;
        for (int64_t i = 0; i < length; i++) sum[i] = 0;
        for (; p + 8 <= k; p += 8, x += 8 * a.cs, y += 8 * b.rs) {
            const REAL *x4 = x + 4 * a.cs, *y4 = y + 4 * b.rs;
            const REAL y0 = y[0], y1 = y[b.rs], y2 = y[2 * b.rs], y3 = y[3 * b.rs];
            const REAL z0 = y4[0], z1 = y4[b.rs], z2 = y4[2 * b.rs], z3 = y4[3 * b.rs];
            NO_DEPENDENCE
            for (int64_t i = 0; i < length; i++)
                sum[i] += ((x[i] * y0 + x[i + a.cs] * y1) + (x[i + 2 * a.cs] * y2 + x[i + 3 * a.cs] * y3)) +
                          ((x4[i] * z0 + x4[i + a.cs] * z1) + (x4[i + 2 * a.cs] * z2 + x4[i + 3 * a.cs] * z3));
        }
        for (; p < k; p++, x += a.cs, y += b.rs) {
            NO_DEPENDENCE
            for (int64_t i = 0; i < length; i++) sum[i] += x[i] * *y;
        }
        for (int64_t i = 0; i < length; i++, z += c.rs) *z = beta == 0 ? alpha * sum[i] : alpha * sum[i] + beta * *z;
    }
}

/* c = alpha a b + beta c for a of unit row stride and n < LANES: b' a' by tiles, then transposed */
static void NAME(few_columns_transposed)(int64_t m, int64_t n, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta,
                                         fb_view c)
{
    REAL block[8 * 64];
    const fb_view line = {(char *)block, 64, 1}, left = {b.p, b.cs, b.rs};
    for (int64_t i = 0; i < m; i += 64) {
        const int64_t length = m - i < 64 ? m - i : 64;
        const fb_view right = {(char *)ROW(a, i), a.cs, 1};
        NAME(tiles)(n, length, k, alpha, left, right, 0, line);
        for (int64_t l = 0; l < length; l++)
            for (int64_t j = 0; j < n; j++) {
                REAL *z = ROW(c, i + l) + j * c.cs;
                *z = beta == 0 ? block[j * 64 + l] : block[j * 64 + l] + beta * *z;
            }
    }
}

static void NAME(product)(int64_t m, int64_t n, int64_t k, double alpha, fb_view a, fb_view b, double beta, fb_view c,
                          int flags)
{
    const REAL s = (REAL)alpha, t = (REAL)beta;
    if (n != 1 && (m == 1 || c.cs != 1)) { /* C' = B' A' */
        const fb_view old_a = a;
        const int64_t old_m = m;
        a = (fb_view){b.p, b.cs, b.rs};
        b = (fb_view){old_a.p, old_a.cs, old_a.rs};
        c = (fb_view){c.p, c.cs, c.rs};
        m = n;
        n = old_m;
    }
    if (m == 0 || n == 0)
        return;
    if (k == 0 || (n > 1 && c.cs != 1))
        NAME(product_plain)(m, n, k, alpha, a, b, beta, c, flags);
    else if (n == 1 && a.rs == 1 && (a.cs != 1 || k < LANES))
        NAME(sum_of_columns)(m, k, s, a, b, t, c);
    else if (n < LANES && a.cs == 1 && (n == 1 || k >= 2 * LANES * n)) /* else too short for their sums */
        NAME(few_columns)(m, n, k, s, a, b, t, c);
    else if (n < LANES && a.rs == 1 && m >= LANES)
        NAME(few_columns_transposed)(m, n, k, s, a, b, t, c);
    else if (n == 1)
        NAME(product_plain)(m, n, k, alpha, a, b, beta, c, flags);
    else if (k == 1)
        NAME(outer)(m, n, s, a, b, t, c);
    else
        NAME(tiles)(m, n, k, s, a, b, t, c);
}

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

#undef PANEL_SIZE
#undef DOTS
