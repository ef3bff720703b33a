/* Sweeps for one column and blocks of a size that is compiled in, C- or F-contiguous, vectors contiguous. */

typedef int64_t (*NAME(sweep))(const fb_system *A, int64_t start, int64_t stop, void *work);

INLINE int64_t NAME(solve)(const int m, const int diagonal, const int by_columns, const fb_system *A, int64_t start,
                           int64_t stop, void *work)
{
    const int64_t rs = by_columns ? 1 : m, cs = by_columns ? m : 1;
    const REAL *d = (const REAL *)A->d.a + start * A->d.step, *o = A->o.a;
    const REAL *b = (const REAL *)A->b.a + start * A->b.step;
    REAL *to = (REAL *)A->x.a + start * A->x.step;
    REAL x[8] = {0}, s[8], inverse[8];
    if (o && start > 0) {
        o += (start - 1) * A->o.step;
        UNROLL
        for (int i = 0; i < m; i++) x[i] = (to - A->x.step)[i];
    }
    for (int64_t k = start; k < stop; k++) {
        int fine = 1;
        if (diagonal == FB_LOWER || diagonal == FB_UPPER) {
            UNROLL
            for (int i = 0; i < m; i++) {
                const REAL t = d[i * (m + 1)];
                fine &= t >= TINY || t <= -TINY;
                inverse[i] = 1 / t; /* off the chain from block to block */
            }
        }
        if (fine) {
            UNROLL
            for (int i = 0; i < m; i++) s[i] = b[i];
            if (o && k > 0) {
                UNROLL
                for (int c = 0; c < m; c++) {
                    const int j = diagonal == FB_UPPER ? m - 1 - c : c; /* what is known first */
                    UNROLL
                    for (int i = 0; i < m; i++) s[i] -= o[i * rs + j * cs] * x[j];
                }
            }
            if (diagonal == FB_LOWER || diagonal == FB_UPPER) {
                UNROLL
                for (int j = 0; j < m; j++) {
                    const int c = diagonal == FB_UPPER ? m - 1 - j : j;
                    UNROLL
                    for (int i = 0; i < m; i++)
                        if (diagonal == FB_UPPER ? i < c : i > c)
                            s[i] -= d[i * rs + c * cs] * inverse[c] * s[c]; /* one operation a step of the chain */
                }
                UNROLL
                for (int i = 0; i < m; i++) x[i] = s[i] * inverse[i];
            } else if (diagonal == FB_INVERSE) {
                UNROLL
                for (int i = 0; i < m; i++) x[i] = 0;
                UNROLL
                for (int j = 0; j < m; j++) {
                    UNROLL
                    for (int i = 0; i < m; i++) x[i] += d[i * rs + j * cs] * s[j];
                }
            } else {
                UNROLL
                for (int i = 0; i < m; i++) x[i] = s[i];
            }
            UNROLL
            for (int i = 0; i < m; i++) to[i] = x[i];
        } else { /* a pivot is 0, almost 0, or NaN */
            const int64_t singular = PASTE(one_solve, DTYPE)(A, k, k + 1, 0, 1, work);
            if (singular)
                return singular;
            UNROLL
            for (int i = 0; i < m; i++) x[i] = to[i];
        }
        d += A->d.step;
        b += A->b.step;
        to += A->x.step;
        if (k > 0 && o)
            o += A->o.step;
    }
    return 0;
}

/* m = 1: x_k = b_k / d_k - (o_k / d_k) x_{k-1}, the quotients in vectors ahead of the chain */
#define AHEAD 256
INLINE int64_t NAME(solve_1)(const int unit, const int64_t step, const fb_system *A, int64_t start, int64_t stop,
                             void *work)
{
    const int64_t ds = step ? step : A->d.step, os = step ? step : A->o.step, bs = step ? step : A->b.step,
                  xs = step ? step : A->x.step;
    const REAL *o = A->o.a;
    REAL c[AHEAD], q[AHEAD], x = start > 0 ? ((REAL *)A->x.a)[(start - 1) * xs] : 0;
    for (int64_t from = start; from < stop; from += AHEAD) {
        const int64_t count = stop - from < AHEAD ? stop - from : AHEAD;
        const REAL *d = (const REAL *)A->d.a + from * ds, *b = (const REAL *)A->b.a + from * bs;
        REAL *to = (REAL *)A->x.a + from * xs;
        const REAL *beside = o ? o + (from - 1) * os : o;
        if (unit) {
            for (int64_t k = 0; k < count; k++) {
                x = from + k > 0 && o ? b[k * bs] - beside[k * os] * x : b[k * bs];
                to[k * xs] = x;
            }
            continue;
        }
        int fine = 1;
        const int64_t back = step == -1 ? count - 1 : 0, ahead = step == -1 ? -1 : 1; /* vectors run upwards */
        const int64_t dup = ahead * ds, oup = ahead * os, bup = ahead * bs;
        const REAL *dv = d - back, *bv = b - back, *ov = beside - back;
        for (int64_t k = 0; k < count; k++) {
            const REAL t = dv[k * dup];
            fine &= t >= TINY || t <= -TINY;
            c[k] = bv[k * bup] / t;
        }
        if (!fine) {
            const int64_t singular = PASTE(one_solve, DTYPE)(A, from, from + count, 0, 1, work);
            if (singular)
                return singular;
            x = to[(count - 1) * xs];
            continue;
        }
        if (!o) {
            for (int64_t k = 0; k < count; k++) to[k * xs] = c[back + ahead * k];
            continue;
        }
        const int64_t known = from == 0; /* nothing stands beside the first */
        for (int64_t k = ahead == 1 ? known : 0; k < (ahead == 1 ? count : count - known); k++)
            q[k] = ov[k * oup] / dv[k * dup];
        if (known)
            q[back] = 0;
        for (int64_t k = 0; k < count; k++) {
            x = c[back + ahead * k] - q[back + ahead * k] * x;
            to[k * xs] = x;
        }
    }
    return 0;
}
#undef AHEAD

#define SWEEP(m, diagonal, by_columns)                                                                                 \
    static int64_t NAME(solve_##m##_##diagonal##_##by_columns)(const fb_system *A, int64_t start, int64_t stop,        \
                                                               void *work)                                             \
    {                                                                                                                  \
        return NAME(solve)(m, diagonal, by_columns, A, start, stop, work);                                             \
    }
#define BOTH(m, diagonal) SWEEP(m, diagonal, 0) SWEEP(m, diagonal, 1)
#define SIZE(m) BOTH(m, FB_UNIT) BOTH(m, FB_LOWER) BOTH(m, FB_UPPER) BOTH(m, FB_INVERSE)
SIZE(2) SIZE(3) SIZE(4) SIZE(5) SIZE(6) SIZE(7) SIZE(8)
#undef SIZE
#undef BOTH
#undef SWEEP

#define PAIR(m, diagonal) {NAME(solve_##m##_##diagonal##_0), NAME(solve_##m##_##diagonal##_1)}
#define SIZE(m)                                                                                                        \
    {[FB_UNIT] = PAIR(m, FB_UNIT), [FB_LOWER] = PAIR(m, FB_LOWER), [FB_UPPER] = PAIR(m, FB_UPPER),                     \
     [FB_INVERSE] = PAIR(m, FB_INVERSE)}
static const NAME(sweep) NAME(sweeps)[9][FB_DIAGONALS][2] = {
    [2] = SIZE(2), [3] = SIZE(3), [4] = SIZE(4), [5] = SIZE(5), [6] = SIZE(6), [7] = SIZE(7), [8] = SIZE(8),
};
#undef SIZE
#undef PAIR

static int64_t NAME(solve_scalar)(const fb_system *A, int64_t start, int64_t stop, void *work)
{
    const int64_t step = A->b.step;
    const int same = A->x.step == step && (!A->o.a || A->o.step == step);
    if (A->diagonal == FB_UNIT)
        return NAME(solve_1)(1, 0, A, start, stop, work);
    if (same && A->d.step == step && step == 1)
        return NAME(solve_1)(0, 1, A, start, stop, work);
    if (same && A->d.step == step && step == -1)
        return NAME(solve_1)(0, -1, A, start, stop, work);
    return NAME(solve_1)(0, 0, A, start, stop, work);
}

/* The sweep with compiled-in sizes that fits, or NULL. */
static NAME(sweep) NAME(find)(const fb_system *A)
{
    const int64_t m = A->m;
    if (A->r != 1 || m > 8)
        return NULL;
    if (m == 1)
        return A->diagonal <= FB_UPPER ? NAME(solve_scalar) : NULL;
    if (A->b.rs != 1 || A->x.rs != 1)
        return NULL;
    const fb_blocks *first = A->diagonal != FB_UNIT ? &A->d : &A->o;
    if (!first->a)
        return NULL;
    const int by_columns = first->rs == 1;
    if (!(by_columns ? first->cs == m : first->cs == 1 && first->rs == m))
        return NULL;
    if (A->o.a && (A->o.rs != first->rs || A->o.cs != first->cs))
        return NULL;
    return NAME(sweeps)[m][A->diagonal][by_columns];
}
