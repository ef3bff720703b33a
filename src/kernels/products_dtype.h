/* Products of small real matrices, register-blocked: c = alpha a b + beta d, any strides, d not read if beta = 0.
 *
 * d may be c, or one row or column for all of c. A tile of c, up to 12 vectors, stays in registers while k runs.
 * Rows are split evenly among tiles, and so are vectors, so that no tile is much smaller than its neighbours. Where
 * n is not a multiple of LANES, the last vector of a row overlaps the one before: nothing is computed in single
 * elements.
 */

#define DOTS 8                                          /* dot products with one vector at a time */
#define MOST_DOTS 12                                    /* with several: 9, and room for `sums` */
#define FEW 3                                           /* rows of a product that is dot products */
#define FLAT 16                                         /* most rows of b of a product of one tile */
#define PANEL_SIZE (PANEL_K * VECTORS * (int64_t)WIDTH) /* elements of a packed panel */

/* Where the columns of a panel lie: all vectors but the last side by side, the last one `last` behind the
 * first column; only its first `stored` lanes exist, and all of them unless the panel is that one vector. */
typedef struct {
    int vectors;
    int64_t last, stored;
} NAME(columns);

/* c[:rows, panel] = alpha a b + beta d. a (rows, k) has any strides, b (k, panel) unit column stride; its last
 * vector begins at b_last. d has column stride 0 or 1, or any if the panel is part of a vector. */
INLINE void NAME(tile)(const int rows, const int vectors, NAME(columns) panel, int64_t k, REAL alpha, const REAL *a,
                       int64_t ars, int64_t acs, const REAL *b, int64_t brs, int64_t b_last, REAL beta, fb_view d,
                       REAL *c, int64_t crs)
{
    /* one vector: even and odd steps have sums of their own, since one would wait for itself */
    VECTOR sum[MOST_ROWS][VECTORS], odd[MOST_ROWS];
    int64_t p = 0;
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int v = 0; v < vectors; v++) sum[r][v] = (VECTOR){0};
        odd[r] = (VECTOR){0};
    }
    if (vectors == 1 && rows <= TALLEST) { /* a pointer for each step: more strides would not fit into registers */
        const REAL *next_a = a + acs, *y = b + b_last, *next_y = y + brs;
        for (; p + 2 <= k; p += 2, a += 2 * acs, next_a += 2 * acs, y += 2 * brs, next_y += 2 * brs) {
            const VECTOR line = LOAD(y), next = LOAD(next_y);
            OWN_CODE(next_a);
            OWN_CODE(next_y);
            UNROLL
            for (int r = 0; r < rows; r++) sum[r][0] += a[r * ars] * line;
            UNROLL
            for (int r = 0; r < rows; r++) odd[r] += next_a[r * ars] * next;
        }
        b = y - b_last;
    }
    for (; p < k; p++, a += acs, b += brs) {
        VECTOR line[VECTORS];
        UNROLL
        for (int v = 0; v < vectors; v++) line[v] = LOAD(b + (v < vectors - 1 ? v * LANES : b_last));
        UNROLL
        for (int r = 0; r < rows; r++) {
            UNROLL
            for (int v = 0; v < vectors; v++) sum[r][v] += a[r * ars] * line[v];
        }
    }
    if (vectors == 1 && rows <= TALLEST) {
        UNROLL
        for (int r = 0; r < rows; r++) sum[r][0] += odd[r];
    }
    if (alpha != 1) {
        UNROLL
        for (int r = 0; r < rows; r++) {
            UNROLL
            for (int v = 0; v < vectors; v++) sum[r][v] *= alpha;
        }
    }
    if (vectors == 1 && panel.stored < LANES) {
        UNROLL
        for (int r = 0; r < rows; r++, c += crs) {
            const REAL *w = ROW(d, r);
            REAL lanes[WIDTH];
            STORE(lanes, sum[r][0]);
            for (int64_t l = 0; l < panel.stored; l++) c[l] = beta == 0 ? lanes[l] : lanes[l] + beta * w[l * d.cs];
        }
        return;
    }
    if (beta != 0) { /* all of a row are loaded before any is stored, because the last may overlap */
        if (d.cs == 0) {
            UNROLL
            for (int r = 0; r < rows; r++) {
                const VECTOR same = ALL(beta * *ROW(d, r));
                UNROLL
                for (int v = 0; v < vectors; v++) sum[r][v] += same;
            }
        } else {
            UNROLL
            for (int r = 0; r < rows; r++) {
                const REAL *w = ROW(d, r);
                UNROLL
                for (int v = 0; v < vectors; v++)
                    sum[r][v] += beta * LOAD(w + (v < vectors - 1 ? v * LANES : panel.last));
            }
        }
    }
    UNROLL
    for (int r = 0; r < rows; r++, c += crs) {
        UNROLL
        for (int v = 0; v < vectors; v++) STORE(c + (v < vectors - 1 ? v * LANES : panel.last), sum[r][v]);
    }
}

INLINE void NAME(tile_of)(int64_t rows, NAME(columns) panel, int64_t k, REAL alpha, const REAL *a, int64_t ars,
                          int64_t acs, const REAL *b, int64_t brs, int64_t b_last, REAL beta, fb_view d, REAL *c,
                          int64_t crs)
{
#define TILE(r, v)                                                                                 \
    case 8 * (v) + (r):                                                                            \
        NAME(tile)(r, v, panel, k, alpha, a, ars, acs, b, brs, b_last, beta, d, c, crs);           \
        break;
    switch (8 * panel.vectors + rows) {
        TILE(1, 1) TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1) TILE(8, 1)
        TILE(1, 2) TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
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

/* c[:, panel] of one panel, by tiles of rows as equal as may be */
INLINE void NAME(tiles_of_panel)(int64_t m, NAME(columns) panel, int64_t k, REAL alpha, const REAL *a, int64_t ars,
                                 int64_t acs, const REAL *b, int64_t brs, int64_t b_last, REAL beta, fb_view d,
                                 fb_view c)
{
    const int64_t most = panel.vectors == 3 ? ROWS : panel.vectors == 2 ? TALLEST : MOST_ROWS;
    for (int64_t i = 0, left = (m + most - 1) / most; left > 0; left--) {
        const int64_t rows = (m - i) == left * most ? most : (int64_t)((uint32_t)(m - i) / (uint32_t)left);
        const fb_view addend = {d.rs, d.cs, (char *)ROW(d, i)};
        NAME(tile_of)(rows, panel, k, alpha, a + i * ars, ars, acs, b, brs, b_last, beta, addend, ROW(c, i), c.rs);
        i += rows;
    }
}

INLINE fb_view NAME(transposed)(fb_view x) { return (fb_view){x.cs, x.rs, x.p}; }

INLINE fb_view NAME(at)(fb_view x, int64_t i, int64_t j)
{
    return (fb_view){x.rs, x.cs, (char *)(ROW(x, i) + j * x.cs)};
}

/* c = alpha a b + beta d for c of unit column stride, and d as `tile` wants it. b is packed, a panel at a time,
 * where its columns are strided or where its lines lie so far apart that they would fall on the same lines of the
 * cache. */
static void NAME(tiles)(int64_t m, int64_t n, int64_t k, REAL alpha, fb_view a, fb_view b, REAL beta, fb_view d,
                        fb_view c)
{
    REAL packed[PANEL_SIZE];
    const int64_t vectors = (n + LANES - 1) / LANES, panels = (vectors + VECTORS - 1) / VECTORS;
    /* columns of a that fall on the same lines of the cache: fewer of them, so that they serve the next tile, too */
    const int64_t deepest = a.rs == 1 && a.cs * (int64_t)sizeof(REAL) % 1024 == 0 ? PANEL_K / 2 : PANEL_K;
    for (int64_t p = 0; p < k; p += deepest, beta = 1, d = c) {
        const int64_t depth = k - p < deepest ? k - p : deepest;
        const int far = depth * b.rs * (int64_t)sizeof(REAL) > NEAR && m > 4 * ROWS;
        for (int64_t top = 0; top < m; top += BLOCK_M) {
            const int64_t height = m - top < BLOCK_M ? m - top : BLOCK_M;
            const REAL *x = ROW(a, top) + p * a.cs;
            for (int64_t j = 0, left = panels, v = vectors; left > 0; left--) {
                NAME(columns) panel = {(int)((v + left - 1) / left), 0, LANES};
                const int64_t next = j + panel.vectors * LANES;
                const REAL *y = ROW(b, p) + j * b.cs;
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
                NAME(tiles_of_panel)(height, panel, depth, alpha, x, a.rs, a.cs, y, yrs, y_last, beta,
                                     NAME(at)(d, top, j), NAME(at)(c, top, j));
                v -= panel.vectors;
                j = next;
            }
        }
    }
}

/* c = alpha a b + beta d for c of one tile, with little to pack */
INLINE void NAME(one_tile)(const int rows, const int vectors, const fb_instruction *t, char *a, char *b, char *c,
                           char *d)
{
    REAL packed[FLAT * VECTORS * WIDTH];
    const NAME(columns) panel = {vectors, t->n - LANES, LANES};
    const REAL *y = (const REAL *)b;
    int64_t yrs = t->b.rs, y_last = panel.last;
    if (t->b.cs != 1) {
        NAME(pack)(panel, t->k, y, t->b.rs, t->b.cs, packed);
        y = packed;
        yrs = vectors * LANES;
        y_last = yrs - LANES;
    }
    NAME(tile)(rows, vectors, panel, t->k, (REAL)t->alpha, (const REAL *)a, t->a.rs, t->a.cs, y, yrs, y_last,
               (REAL)t->beta, (fb_view){.p = d, .rs = t->d.rs, .cs = t->d.cs}, (REAL *)c, t->c.rs);
}

#define TILE(r, v)                                                                                           \
    static void NAME(tile_##r##_##v)(const fb_instruction *t, char *a, char *b, char *c, char *d)            \
    {                                                                                                        \
        NAME(one_tile)(r, v, t, a, b, c, d);                                                                 \
    }
TILE(2, 1) TILE(3, 1) TILE(4, 1) TILE(5, 1) TILE(6, 1) TILE(7, 1) TILE(8, 1)
TILE(2, 2) TILE(3, 2) TILE(4, 2) TILE(5, 2) TILE(6, 2)
TILE(2, 3) TILE(3, 3) TILE(4, 3)
#undef TILE

/* The kernel of a product whose c is one tile; NULL for any other. */
static fb_tile NAME(tile_for)(const fb_instruction *t)
{
    static const fb_tile tiles[VECTORS][MOST_ROWS - 1] = {
        {NAME(tile_2_1), NAME(tile_3_1), NAME(tile_4_1), NAME(tile_5_1), NAME(tile_6_1), NAME(tile_7_1),
         NAME(tile_8_1)},
        {NAME(tile_2_2), NAME(tile_3_2), NAME(tile_4_2), NAME(tile_5_2), NAME(tile_6_2)},
        {NAME(tile_2_3), NAME(tile_3_3), NAME(tile_4_3)},
    };
    const int64_t vectors = (t->n + LANES - 1) / LANES;
    const int64_t most = vectors == 1 ? MOST_ROWS : vectors == 2 ? TALLEST : ROWS;
    if (t->n < LANES || vectors > VECTORS || t->m < 2 || t->m > most || t->k < 2 || t->k > FLAT || t->c.cs != 1 ||
        (t->beta != 0 && t->d.cs != 0 && t->d.cs != 1))
        return NULL;
    return tiles[vectors - 1][t->m - 2];
}

/* c = x y' for `vectors` vectors of columns, which stay in registers; the last one begins at `last` */
INLINE void NAME(outer_block)(const int vectors, int64_t m, int64_t last, REAL alpha, const REAL *x, int64_t xs,
                              const REAL *y, REAL *c, int64_t crs)
{
    VECTOR line[4];
    for (int v = 0; v < vectors; v++) line[v] = alpha * LOAD(y + (v < vectors - 1 ? v * LANES : last));
    for (int64_t i = 0; i < m; i++, x += xs, c += crs)
        for (int v = 0; v < vectors; v++) STORE(c + (v < vectors - 1 ? v * LANES : last), *x * line[v]);
}

/* c = alpha a b for c of unit column stride, k = 1; c may be b if m = 1 */
static void NAME(outer)(int64_t m, int64_t n, REAL alpha, fb_view a, fb_view b, fb_view c)
{
    REAL few[4 * WIDTH];
    for (int64_t j = 0; j < n;) {
        const int64_t left = n - j, length = left <= 4 * LANES ? left : left < 8 * LANES ? (left + 1) / 2 : 4 * LANES;
        const REAL *x = (const REAL *)a.p, *y = (const REAL *)b.p + j * b.cs;
        REAL *z = (REAL *)c.p + j;
        if (b.cs != 1) {
            for (int64_t l = 0; l < length; l++) few[l] = y[l * b.cs];
            y = few;
        }
        if (length < LANES) {
            for (int64_t i = 0; i < m; i++, x += a.rs, z += c.rs)
                for (int64_t l = 0; l < length; l++) z[l] = alpha * *x * y[l];
        } else
            switch ((length + LANES - 1) / LANES) {
            case 1: NAME(outer_block)(1, m, length - LANES, alpha, x, a.rs, y, z, c.rs); break;
            case 2: NAME(outer_block)(2, m, length - LANES, alpha, x, a.rs, y, z, c.rs); break;
            case 3: NAME(outer_block)(3, m, length - LANES, alpha, x, a.rs, y, z, c.rs); break;
            default: NAME(outer_block)(4, m, length - LANES, alpha, x, a.rs, y, z, c.rs);
            }
        j += length;
    }
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
    if (rows == DOTS && p == k && zs == 1 && (beta == 0 || ws == 1)) {
        for (int v = 0; v < DOTS / (int)LANES; v++) {
            const VECTOR total = alpha * NAME(sums_of_lanes)(sum + v * LANES);
            sum[v] = beta == 0 ? total : total + beta * LOAD(w + v * LANES);
        }
        for (int v = 0; v < DOTS / (int)LANES; v++) STORE(z + v * LANES, sum[v]);
        return;
    }
    NAME(sums)(rows, sum, totals);
    for (; p < k; p++)
        for (int r = 0; r < rows; r++) totals[r] += x[r * xrs + p] * y[p];
    for (int r = 0; r < rows; r++)
        z[r * zs] = beta == 0 ? alpha * totals[r] : alpha * totals[r] + beta * w[r * ws];
}

/* c = alpha a b + beta d for a of unit column stride, b of unit row stride, n = 1 */
static void NAME(matrix_times_vector)(int64_t m, int64_t k, REAL alpha, fb_view a, const REAL *y, REAL beta, fb_view d,
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
    REAL block[8 * 64];
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

/* n = 1, or m = n = 1 */
INLINE void NAME(product_of_vector)(const fb_product *p)
{
    const REAL s = (REAL)p->alpha, t = (REAL)p->beta;
    if (p->a.rs == 1 && (p->a.cs != 1 || p->k < LANES))
        NAME(sum_of_columns)(p->m, p->k, s, p->a, p->b, t, p->d, p->c);
    else if (p->a.cs == 1 && (p->b.rs == 1 || p->k == 1))
        NAME(matrix_times_vector)(p->m, p->k, s, p->a, (const REAL *)p->b.p, t, p->d, p->c);
    else if (p->a.cs == 1)
        NAME(few_columns)(p->m, 1, p->k, s, p->a, p->b, t, p->d, p->c);
    else
        NAME(product_plain)(p);
}

/* n > 1 and c of unit column stride */
static void NAME(product_of_rows)(const fb_product *p)
{
    const REAL s = (REAL)p->alpha;
    REAL t = (REAL)p->beta;
    fb_view d = p->d;
    if (t != 0 && d.cs != 0 && d.cs != 1) { /* no way to read it in vectors */
        NAME(axpby)(p->m, p->n, p->beta, d, 0, d, p->c, 0);
        d = p->c;
        t = 1;
    }
    if (p->k == 1 && t == 0)
        NAME(outer)(p->m, p->n, s, p->a, p->b, p->c);
    else if (p->n < LANES && p->a.cs == 1 && p->k >= 2 * LANES * p->n) /* else too short for their sums */
        NAME(few_columns)(p->m, p->n, p->k, s, p->a, p->b, t, d, p->c);
    else if (p->n < LANES && p->a.rs == 1 && p->m >= LANES)
        NAME(few_columns_transposed)(p->m, p->n, p->k, s, p->a, p->b, t, d, p->c);
    else if (p->m <= FEW && p->a.cs == 1 && p->b.rs == 1 && p->b.cs != 1 && p->k >= 2 * LANES)
        NAME(few_columns)(p->n, p->m, p->k, s, NAME(transposed)(p->b), NAME(transposed)(p->a), t, NAME(transposed)(d),
                          NAME(transposed)(p->c)); /* without packing b */
    else
        NAME(tiles)(p->m, p->n, p->k, s, p->a, p->b, t, d, p->c);
}

static void NAME(product)(const fb_product *p)
{
    if (p->m == 0 || p->n == 0)
        return;
    if (p->k == 0)
        NAME(product_plain)(p);
    else if (p->n == 1)
        NAME(product_of_vector)(p);
    else if (p->m > 1 && p->c.cs == 1)
        NAME(product_of_rows)(p);
    else { /* C' = B' A' */
        const fb_product q = {
            p->n, p->m, p->k, p->alpha, p->beta, NAME(transposed)(p->b), NAME(transposed)(p->a),
            NAME(transposed)(p->c), NAME(transposed)(p->d), p->flags,
        };
        if (q.n == 1)
            NAME(product_of_vector)(&q);
        else if (q.c.cs == 1)
            NAME(product_of_rows)(&q);
        else
            NAME(product_plain)(&q);
    }
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
#undef FLAT
#undef DOTS
#undef MOST_DOTS
#undef FEW
