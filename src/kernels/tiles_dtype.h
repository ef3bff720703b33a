/* Products by tiles. A tile of c, up to 12 vectors, stays in registers while k runs. Rows are split evenly among tiles,
 * and so are vectors, so that no tile is much smaller than its neighbours. Where n is not a multiple of LANES, the last
 * vector of a row overlaps the one before: nothing is computed in single elements.
 */
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
    case 16 * (v) + (r):                                                                           \
        NAME(tile)(r, v, panel, k, alpha, a, ars, acs, b, brs, b_last, beta, d, c, crs);           \
        break;
    switch (16 * panel.vectors + rows) { TILES(TILE) }
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
            for (; brs == 1 && p + GROUP <= depth; p += GROUP) {
                VECTOR lines[GROUP];
                NAME(load_transposed)(columns + p, bcs, lines);
                for (int l = 0; l < GROUP; l++) STORE(line + (p + l) * width, lines[l]);
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
    const int64_t most = MOST(panel.vectors);
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
TILES(TILE)
#undef TILE

/* The kernel of a product whose c is one tile; NULL for any other. */
static fb_tile NAME(tile_of_registers)(const fb_instruction *t)
{
#define TILE(r, v) [(v) - 1][(r) - 1] = NAME(tile_##r##_##v),
    static const fb_tile tiles[VECTORS][MOST_ROWS] = {TILES(TILE)};
#undef TILE
    const int64_t vectors = (t->n + LANES - 1) / LANES;
    if (t->n < LANES || vectors > VECTORS || t->m < 2 || t->m > MOST(vectors) || t->k < 2 || t->k > FLAT || t->c.cs != 1 ||
        (t->beta != 0 && t->d.cs != 0 && t->d.cs != 1))
        return NULL;
    return tiles[vectors - 1][t->m - 1];
}

#undef FLAT
#undef GROUP
