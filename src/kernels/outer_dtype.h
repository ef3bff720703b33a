/* Outer products: k = 1. */

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
