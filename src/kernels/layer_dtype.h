/* What the gradient of a layer does with one vector: d = e (f - g h), C = d x' and y = A' d, see fb_layer. */

/* C and y in `vectors` vectors of columns from `first` on, the last of which begins `last` behind it. A row of C is
 * written where one of A is read; x and y, as two sums, stay in registers. */
INLINE void NAME(layer_block)(const int vectors, const int has_product, int64_t first, int64_t last, const fb_layer *t)
{
#define PLACE(v) ((v) < vectors - 1 ? (v) * LANES : last)
#define ROW_OF(i, sum)                                                                                  \
    {                                                                                                   \
        const REAL number = d[i];                                                                       \
        UNROLL                                                                                          \
        for (int v = 0; v < vectors; v++) STORE(c + PLACE(v), number * line[v]);                        \
        UNROLL                                                                                          \
        for (int v = 0; v < vectors && has_product; v++) sum[v] += number * LOAD(a + PLACE(v));         \
        c += crs;                                                                                       \
        a += ars;                                                                                       \
    }
    const REAL *const d = t->d, *const x = (const REAL *)t->x + first, *a = has_product ? (const REAL *)t->a + first : d;
    REAL *c = (REAL *)t->c + first, *const y = has_product ? (REAL *)t->y + first : c;
    VECTOR line[4], even[4], odd[4];
    const int64_t m = t->m, crs = t->crs, ars = has_product ? t->ars : 0;
    int64_t i = 0;
    UNROLL
    for (int v = 0; v < vectors; v++) {
        line[v] = LOAD(x + PLACE(v));
        even[v] = odd[v] = ALL(0);
    }
    for (; i + 2 <= m; i += 2) {
        ROW_OF(i, even)
        ROW_OF(i + 1, odd)
    }
    if (i < m)
        ROW_OF(i, even)
    UNROLL
    for (int v = 0; v < vectors && has_product; v++) STORE(y + PLACE(v), even[v] + odd[v]);
#undef PLACE
#undef ROW_OF
}

/* d = e (f - g h), n elements */
INLINE void NAME(gate)(int64_t n, const REAL *e, const REAL *f, const REAL *g, const REAL *h, REAL *d)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        STORE(d + i, LOAD(e + i) * (LOAD(f + i) - LOAD(g + i) * LOAD(h + i)));
    for (; i < n; i++) d[i] = e[i] * (f[i] - g[i] * h[i]);
}

static void NAME(layer)(const fb_layer *t)
{
    if (t->e)
        NAME(gate)(t->m, t->e, t->f, t->g, t->h, t->d);
    for (int64_t first = 0; first < t->n; first += 4 * LANES) {
        const int64_t left = t->n - first, vectors = left >= 4 * LANES ? 4 : (left + LANES - 1) / LANES;
        const int64_t last = (left >= 4 * LANES ? 4 * LANES : left) - LANES;
#define BLOCK(v)                                                  \
    case 2 * (v): NAME(layer_block)(v, 0, first, last, t); break; \
    case 2 * (v) + 1: NAME(layer_block)(v, 1, first, last, t); break;
        switch (2 * vectors + (t->a != NULL)) { BLOCK(1) BLOCK(2) BLOCK(3) BLOCK(4) }
#undef BLOCK
    }
}
