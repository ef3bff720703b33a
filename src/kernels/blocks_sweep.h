/* Solves and products with blocks of any size, for a COLUMN of x as `blocks_core.h` computes with it. */

#define E COLUMN

/* s becomes D_k^-1 s; 1 if D_k is singular */
static int NAME(solve_diagonal)(const fb_system *A, int64_t k, E *s, E *spare)
{
    const int64_t m = A->m, rs = A->d.rs, cs = A->d.cs;
    const STORED *d = (const STORED *)A->d.a + k * A->d.step;
    const int32_t *pivots = A->pivots + k * A->pivot_step;
    const REAL sign = A->conj_d ? -1 : 1;
    E e;
    (void)sign;
    switch (A->diagonal) {
    case FB_LOWER: return NAME(triangle)(0, DIVIDED, m, d, rs, cs, sign, s);
    case FB_UPPER: return NAME(triangle)(1, DIVIDED, m, d, rs, cs, sign, s);
    case FB_LU: /* P D = L U */
        for (int64_t i = 0; i < m; i++) {
            e = s[i];
            s[i] = s[pivots[i]];
            s[pivots[i]] = e;
        }
        NAME(triangle)(0, IS_UNIT, m, d, rs, cs, sign, s);
        NAME(triangle)(1, RECIPROCALS, m, d, rs, cs, sign, s);
        return 0;
    case FB_LU_TRANSPOSED: /* D^T = U^T L^T P */
        NAME(triangle)(0, RECIPROCALS, m, d, cs, rs, sign, s);
        NAME(triangle)(1, IS_UNIT, m, d, cs, rs, sign, s);
        for (int64_t i = m; i-- > 0;) {
            e = s[i];
            s[i] = s[pivots[i]];
            s[pivots[i]] = e;
        }
        return 0;
    case FB_CHOLESKY: /* D = L L^H */
        NAME(triangle)(0, RECIPROCALS, m, d, rs, cs, sign, s);
        NAME(triangle)(1, RECIPROCALS, m, d, cs, rs, -sign, s);
        return 0;
    case FB_INVERSE:
        memset(spare, 0, m * sizeof(E));
        NAME(product)(1, m, m, d, rs, cs, sign, s, spare);
        memcpy(s, spare, m * sizeof(E));
        return 0;
    default: return 0;
    }
}

/* The columns column to column + width of the blocks start to stop. */
static int64_t NAME(solve)(const fb_system *A, int64_t start, int64_t stop, int64_t column, int64_t width, void *work)
{
    const int64_t m = A->m;
    const REAL sign = A->conj_o ? -1 : 1;
    E *x = work, *s = x + m, *spare = s + m, *last;
    (void)sign;
    if (start > 0 && A->o.a) {
        const STORED *before = (const STORED *)A->x.a + (start - 1) * A->x.step + column * A->x.cs;
        for (int64_t i = 0; i < m; i++) NAME(load)(before + i * A->x.rs, A->x.cs, width, x + i);
    }
    for (int64_t k = start; k < stop; k++) {
        const STORED *b = (const STORED *)A->b.a + k * A->b.step + column * A->b.cs;
        STORED *to = (STORED *)A->x.a + k * A->x.step + column * A->x.cs;
        for (int64_t i = 0; i < m; i++) NAME(load)(b + i * A->b.rs, A->b.cs, width, s + i);
        if (k > 0 && A->o.a)
            NAME(product)(0, m, m, (const STORED *)A->o.a + (k - 1) * A->o.step, A->o.rs, A->o.cs, sign, x, s);
        if (NAME(solve_diagonal)(A, k, s, spare))
            return k + 1;
        for (int64_t i = 0; i < m; i++) NAME(store)(to + i * A->x.rs, A->x.cs, width, s + i);
        last = x;
        x = s;
        s = last;
    }
    return 0;
}

#if WAY == TILE && !COMPLEX
/* m = 1 and WIDTH columns side by side: x_k = (1 / d_k) b_k - (o_k / d_k) x_{k-1}, quotients ahead of the chain */
#define AHEAD 128
static int64_t NAME(solve_1)(const fb_system *A, int64_t start, int64_t stop, int64_t column, void *work)
{
    const int64_t bs = A->b.step, xs = A->x.step, ds = A->d.step, os = A->o.step;
    const REAL *o = A->o.a, *b = (const REAL *)A->b.a + start * bs + column;
    REAL *x = (REAL *)A->x.a + start * xs + column;
    REAL inverse[AHEAD], quotient[AHEAD];
    E last = {{0}, {0}}, own;
    if (start > 0)
        NAME(load)(x - xs, 1, WIDTH, &last);
    for (int64_t from = start; from < stop; from += AHEAD) {
        const int64_t count = stop - from < AHEAD ? stop - from : AHEAD, known = from == 0; /* nothing is beside it */
        const REAL *d = (const REAL *)A->d.a + from * ds;
        int fine = 1;
        for (int64_t k = 0; k < count; k++) {
            const REAL t = A->diagonal == FB_UNIT ? 1 : d[k * ds];
            fine &= t >= TINY || t <= -TINY;
            inverse[k] = 1 / t;
        }
        if (known)
            quotient[0] = 0;
        for (int64_t k = known; k < count; k++) quotient[k] = o[(from + k - 1) * os] * inverse[k];
        if (!fine) {
            const int64_t singular = NAME(solve)(A, from, from + count, column, WIDTH, work);
            if (singular)
                return singular;
            b += count * bs;
            x += count * xs;
            NAME(load)(x - xs, 1, WIDTH, &last);
            continue;
        }
        for (int64_t k = 0; k < count; k++, b += bs, x += xs) {
            NAME(load)(b, 1, WIDTH, &own);
            last.p = own.p * inverse[k] - last.p * quotient[k];
            last.q = own.q * inverse[k] - last.q * quotient[k];
            NAME(store)(x, 1, WIDTH, &last);
        }
    }
    return 0;
}
#undef AHEAD

/* y (g, WIDTH) = A x of contiguous rows, without copies */
INLINE void NAME(product_in_place)(const int g, int64_t n, const REAL *a, int64_t rs, int64_t cs, const REAL *x,
                                   int64_t xs, REAL *y, int64_t ys)
{
    E sum[GROUP], e;
    const REAL *upper = a, *lower = a + 4 * rs; /* see OF_ROW */
    const int64_t rs3 = 3 * rs;
    UNROLL
    for (int i = 0; i < g; i++) sum[i] = (E){{0}, {0}};
    for (int64_t j = 0; j < n; j++, x += xs, upper += cs, lower += cs) {
        e.p = *(const NAME(loose) *)x;
        e.q = *(const NAME(loose) *)(x + LENGTH);
        UNROLL
        for (int i = 0; i < g; i++) {
            const REAL t = *OF_ROW(i);
            sum[i].p += t * e.p;
            sum[i].q += t * e.q;
        }
    }
    UNROLL
    for (int i = 0; i < g; i++) {
        *(NAME(loose) *)y = sum[i].p;
        *(NAME(loose) *)(y + LENGTH) = sum[i].q;
        y += ys;
    }
}

static void NAME(multiply_in_place)(const fb_system *A, int64_t k, int64_t column)
{
    const int64_t m = A->m, rs = A->d.rs, cs = A->d.cs, ys = A->x.rs;
    const REAL *a = (const REAL *)A->d.a + k * A->d.step, *x = (const REAL *)A->b.a + k * A->b.step + column;
    REAL *y = (REAL *)A->x.a + k * A->x.step + column;
    int64_t i = 0;
    for (; GROUP == 8 && i + 8 <= m; i += 8)
        NAME(product_in_place)(GROUP, m, a + i * rs, rs, cs, x, A->b.rs, y + i * ys, ys);
    for (; i + 4 <= m; i += 4)
        NAME(product_in_place)(4, m, a + i * rs, rs, cs, x, A->b.rs, y + i * ys, ys);
    for (; i < m; i++)
        NAME(product_in_place)(1, m, a + i * rs, rs, cs, x, A->b.rs, y + i * ys, ys);
}
#endif

/* x = D_k b_k + O_k b_{k-1}; the diagonal is unit, lower, upper, or all of D. */
static void NAME(multiply)(const fb_system *A, int64_t start, int64_t stop, int64_t column, int64_t width, void *work)
{
    const int64_t m = A->m, rs = A->d.rs, cs = A->d.cs;
    const REAL sign = A->conj_d ? -1 : 1, sign_o = A->conj_o ? -1 : 1;
    E *before = work, *own = before + m, *sum = own + m, *last;
    (void)sign, (void)sign_o;
#if WAY == TILE && !COMPLEX
    if (!A->o.a && A->diagonal == FB_INVERSE && A->b.cs == 1 && A->x.cs == 1 && width == WIDTH) {
        for (int64_t k = start; k < stop; k++) NAME(multiply_in_place)(A, k, column);
        return;
    }
#endif
    for (int64_t k = start - (start > 0 && A->o.a); k < stop; k++) {
        const STORED *b = (const STORED *)A->b.a + k * A->b.step + column * A->b.cs;
        STORED *to = (STORED *)A->x.a + k * A->x.step + column * A->x.cs;
        for (int64_t i = 0; i < m; i++) NAME(load)(b + i * A->b.rs, A->b.cs, width, own + i);
        if (k >= start) {
            const STORED *d = (const STORED *)A->d.a + k * A->d.step;
            if (A->diagonal == FB_UNIT)
                memcpy(sum, own, m * sizeof(E));
            else
                memset(sum, 0, m * sizeof(E));
            if (A->diagonal == FB_LOWER)
                for (int64_t i = 0; i < m; i++) NAME(rows)(1, 1, i + 1, d + i * rs, rs, cs, sign, own, sum + i);
            else if (A->diagonal == FB_UPPER)
                for (int64_t i = 0; i < m; i++)
                    NAME(rows)(1, 1, m - i, d + i * (rs + cs), rs, cs, sign, own + i, sum + i);
            else if (A->diagonal != FB_UNIT)
                NAME(product)(1, m, m, d, rs, cs, sign, own, sum);
            if (k > 0 && A->o.a)
                NAME(product)(1, m, m, (const STORED *)A->o.a + (k - 1) * A->o.step, A->o.rs, A->o.cs, sign_o, before,
                              sum);
            for (int64_t i = 0; i < m; i++) NAME(store)(to + i * A->x.rs, A->x.cs, width, sum + i);
        }
        last = before;
        before = own;
        own = last;
    }
}

#undef E
