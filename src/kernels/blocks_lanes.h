/* Systems of one column side by side in the lanes of vectors: unit, lower and upper diagonal blocks. */

#define LANES_M 4 /* larger blocks have enough to do by themselves */
#define LANE_COUNT (2 * LENGTH)

/* Returns how many blocks are done: all, or those before one with a pivot that is 0, almost 0, or NaN. */
INLINE int64_t NAME(sweep)(const int m, const int diagonal, const int by_columns, const fb_system *A,
                            const fb_lanes *lanes, int64_t first)
{
    const int64_t rs = by_columns ? 1 : m, cs = by_columns ? m : 1;
    const REAL *d = (const REAL *)A->d.a + first * lanes->d, *o = A->o.a, *b = (const REAL *)A->b.a + first * lanes->b;
    REAL *to = (REAL *)A->x.a + first * lanes->x;
    NAME(tile) x[LANES_M] = {0}, s[LANES_M], t;
    int fine = 1;
    if (o)
        o += first * lanes->o;
    for (int64_t k = 0; k < A->n; k++) {
        UNROLL
        for (int i = 0; i < m; i++) s[i] = NAME(gather)(b + i, lanes->b);
        if (o && k > 0) {
            UNROLL
            for (int j = 0; j < m; j++) {
                UNROLL
                for (int i = 0; i < m; i++) {
                    t = NAME(gather)(o + i * rs + j * cs, lanes->o);
                    s[i].p -= t.p * x[j].p;
                    s[i].q -= t.q * x[j].q;
                }
            }
            o += A->o.step;
        }
        if (diagonal == FB_UNIT) {
            UNROLL
            for (int i = 0; i < m; i++) x[i] = s[i];
        } else {
            NAME(tile) inverse[LANES_M];
            UNROLL
            for (int i = 0; i < m; i++) {
                t = NAME(gather)(d + i * (m + 1), lanes->d);
                for (int64_t c = 0; c < LENGTH; c++) {
                    fine &= t.p[c] >= TINY || t.p[c] <= -TINY;
                    fine &= t.q[c] >= TINY || t.q[c] <= -TINY;
                }
                inverse[i].p = 1 / t.p;
                inverse[i].q = 1 / t.q;
            }
            UNROLL
            for (int j = 0; j < m; j++) {
                const int c = diagonal == FB_UPPER ? m - 1 - j : j;
                x[c].p = s[c].p * inverse[c].p;
                x[c].q = s[c].q * inverse[c].q;
                UNROLL
                for (int i = 0; i < m; i++)
                    if (diagonal == FB_UPPER ? i < c : i > c) {
                        t = NAME(gather)(d + i * rs + c * cs, lanes->d);
                        s[i].p -= t.p * x[c].p;
                        s[i].q -= t.q * x[c].q;
                    }
            }
        }
        if (!fine)
            return k;
        UNROLL
        for (int i = 0; i < m; i++)
            for (int64_t c = 0; c < LENGTH; c++) {
                to[i + c * lanes->x] = x[i].p[c];
                to[i + (c + LENGTH) * lanes->x] = x[i].q[c];
            }
        d += A->d.step;
        b += A->b.step;
        to += A->x.step;
    }
    return A->n;
}

#define EACH_SIZE(diagonal, by_columns)                                                                               \
    switch (A->m) {                                                                                                    \
    case 1: return NAME(sweep)(1, diagonal, by_columns, A, lanes, first);                                              \
    case 2: return NAME(sweep)(2, diagonal, by_columns, A, lanes, first);                                              \
    case 3: return NAME(sweep)(3, diagonal, by_columns, A, lanes, first);                                              \
    default: return NAME(sweep)(4, diagonal, by_columns, A, lanes, first);                                             \
    }

static int64_t NAME(solve)(const fb_system *A, const fb_lanes *lanes, int64_t first)
{
    const int by_columns = (A->diagonal == FB_UNIT ? A->o.rs : A->d.rs) == 1;
    if (A->diagonal == FB_UNIT) {
        if (by_columns)
            EACH_SIZE(FB_UNIT, 1)
        EACH_SIZE(FB_UNIT, 0)
    }
    if (A->diagonal == FB_LOWER) {
        if (by_columns)
            EACH_SIZE(FB_LOWER, 1)
        EACH_SIZE(FB_LOWER, 0)
    }
    if (by_columns)
        EACH_SIZE(FB_UPPER, 1)
    EACH_SIZE(FB_UPPER, 0)
}
#undef EACH_SIZE
