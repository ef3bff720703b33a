/* Products and triangles of small blocks, for one way to compute.
 *
 * Before including: REAL, COMPLEX (0 or 1), STORED (the type of an element in memory), NAME, GROUP, and WAY:
 *   ONE    one column, numbers
 *   TILE   several columns in vectors, the blocks in numbers
 * An E is what a row of x holds.
 */

#if WAY == ONE
#define E STORED
#else
#define E NAME(tile)
#endif

#if COMPLEX
#define ELEMENT(p) ((STORED){(p)->re, sign * (p)->im})
#else
#define ELEMENT(p) (*(p))
#endif

/* e += a x and e -= a x, times = a x */

#if WAY == ONE && !COMPLEX
#define ADD_PRODUCT(e, a, y) ((e) += (a) * (y))
#define SUB_PRODUCT(e, a, y) ((e) -= (a) * (y))
#define TIMES(e, a) ((e) *= (a))
#elif COMPLEX
#define ADD_PRODUCT(e, a, y)                                                                                           \
    ((e).re += (a).re * (y).re, (e).re -= (a).im * (y).im, (e).im += (a).re * (y).im, (e).im += (a).im * (y).re)
#define SUB_PRODUCT(e, a, y)                                                                                           \
    ((e).re -= (a).re * (y).re, (e).re += (a).im * (y).im, (e).im -= (a).re * (y).im, (e).im -= (a).im * (y).re)
#define TIMES(e, a) ((e) = (E){(a).re * (e).re - (a).im * (e).im, (a).re * (e).im + (a).im * (e).re})
#else
#define ADD_PRODUCT(e, a, y) ((e).p += (a) * (y).p, (e).q += (a) * (y).q)
#define SUB_PRODUCT(e, a, y) ((e).p -= (a) * (y).p, (e).q -= (a) * (y).q)
#define TIMES(e, a) ((e).p *= (a), (e).q *= (a))
#endif

/* A block; its conjugate if the sign is -1 */
#define BLOCK const STORED *a, int64_t rs, int64_t cs, REAL sign

#if WAY == ONE && FOURS
typedef REAL NAME(four) __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

/* s (4) += or -= A x: four rows that are contiguous, summed in vectors */
INLINE void NAME(contiguous_rows)(const int add, int64_t n, const REAL *a, int64_t rs, const REAL *x, REAL *s)
{
    NAME(four) p = {0}, q = {0}, u = {0}, v = {0}, y;
    int64_t j = 0;
    for (; j + 4 <= n; j += 4) {
        y = *(const NAME(four) *)(x + j);
        p += *(const NAME(four) *)(a + j) * y;
        q += *(const NAME(four) *)(a + rs + j) * y;
        u += *(const NAME(four) *)(a + 2 * rs + j) * y;
        v += *(const NAME(four) *)(a + 3 * rs + j) * y;
    }
    p = __builtin_shufflevector(p, q, 0, 4, 2, 6) + __builtin_shufflevector(p, q, 1, 5, 3, 7);
    u = __builtin_shufflevector(u, v, 0, 4, 2, 6) + __builtin_shufflevector(u, v, 1, 5, 3, 7);
    p = __builtin_shufflevector(p, u, 0, 1, 4, 5) + __builtin_shufflevector(p, u, 2, 3, 6, 7);
    for (; j < n; j++) p += (NAME(four)){a[j], a[rs + j], a[2 * rs + j], a[3 * rs + j]} * x[j];
    *(NAME(four) *)s = add ? *(NAME(four) *)s + p : *(NAME(four) *)s - p;
}

/* s (g) += or -= A x: g rows, 4 or 8, whose columns are contiguous */
INLINE void NAME(contiguous_columns)(const int g, const int add, int64_t n, const REAL *a, int64_t cs, const REAL *x,
                                     REAL *s)
{
    NAME(four) p = *(NAME(four) *)s, q = {0};
    if (g == 8)
        q = *(NAME(four) *)(s + 4);
    for (int64_t j = 0; j < n; j++) {
        const REAL y = add ? x[j] : -x[j];
        p += *(const NAME(four) *)(a + j * cs) * y;
        if (g == 8)
            q += *(const NAME(four) *)(a + j * cs + 4) * y;
    }
    *(NAME(four) *)s = p;
    if (g == 8)
        *(NAME(four) *)(s + 4) = q;
}
#define VECTOR_ROWS                                                                                                    \
    if (__builtin_constant_p(cs) && cs == 1 && g >= 4) {                                                               \
        NAME(contiguous_rows)(add, n, a, rs, x, s);                                                                    \
        if (g == 8)                                                                                                    \
            NAME(contiguous_rows)(add, n, a + 4 * rs, rs, x, s + 4);                                                   \
        return;                                                                                                        \
    }                                                                                                                  \
    if (__builtin_constant_p(rs) && rs == 1 && g >= 4) {                                                               \
        NAME(contiguous_columns)(g, add, n, a, cs, x, s);                                                              \
        return;                                                                                                        \
    }
#else
#define VECTOR_ROWS
#endif

/* The element in row i of a column: few strides and two pointers, so that addresses need no registers of their own */
#define OF_ROW(i) (((i) < 4 ? upper : lower) + ((i) % 4 == 3 ? rs3 : (i) % 4 * rs))

/* The next rows come from memory while these are computed with: a line of the cache for every step. */
#if WAY == TILE && GROUP == 8
#define FETCHING                                                                                                       \
    const STORED *next = a + g * rs;                                                                                   \
    const int64_t within = cs == 1 ? g - 1 : 0;
#define FETCH                                                                                                          \
    if (g == GROUP)                                                                                                    \
        __builtin_prefetch(next + (j & within) * rs + (j & ~within) * cs);
#else
#define FETCHING
#define FETCH
#endif

/* s (g) += or -= A (g, n) x (n) */
INLINE void NAME(rows)(const int g, const int add, int64_t n, BLOCK, const E *x, E *s)
{
    E sum[GROUP];
    (void)sign;
    VECTOR_ROWS
    UNROLL
    for (int i = 0; i < g; i++) sum[i] = s[i];
    const STORED *upper = a, *lower = a + 4 * rs;
    const int64_t rs3 = 3 * rs;
    FETCHING
    for (int64_t j = 0; j < n; j++, upper += cs, lower += cs) {
        const E y = x[j];
        FETCH
        UNROLL
        for (int i = 0; i < g; i++) {
            const STORED e = ELEMENT(OF_ROW(i));
            if (add)
                ADD_PRODUCT(sum[i], e, y);
            else
                SUB_PRODUCT(sum[i], e, y);
        }
    }
    UNROLL
    for (int i = 0; i < g; i++) s[i] = sum[i];
}

/* f(g) for groups of rows until `done` is m */
#if WAY == TILE && GROUP == 8
#define EIGHT(f)                                                                                                       \
    for (; done + 8 <= m; done += 8) f(8);
#else
#define EIGHT(f)
#endif
#define EACH_GROUP(f)                                                                                                  \
    EIGHT(f)                                                                                                           \
    for (; done + 4 <= m; done += 4) f(4);                                                                             \
    for (; done + 2 <= m; done += 2) f(2);                                                                             \
    for (; done < m; done += 1) f(1);

/* s (m) += or -= A (m, n) x (n) */
INLINE void NAME(product_of)(const int add, int64_t m, int64_t n, BLOCK, const E *x, E *s)
{
    int64_t done = 0;
#define PRODUCT(g) NAME(rows)(g, add, n, a + done * rs, rs, cs, sign, x, s + done)
#if WAY == ONE && GROUP == 8
    for (; done + 8 <= m; done += 8) PRODUCT(8);
#endif
    EACH_GROUP(PRODUCT)
#undef PRODUCT
}

static void NAME(product)(const int add, int64_t m, int64_t n, BLOCK, const E *x, E *s)
{
#if WAY == ONE && !COMPLEX
    if (rs == 1) { /* columns are vectors */
        if (add)
            NAME(product_of)(1, m, n, a, 1, cs, sign, x, s);
        else
            NAME(product_of)(0, m, n, a, 1, cs, sign, x, s);
        return;
    }
    if (cs == 1) { /* rows are */
        if (add)
            NAME(product_of)(1, m, n, a, rs, 1, sign, x, s);
        else
            NAME(product_of)(0, m, n, a, rs, 1, sign, x, s);
        return;
    }
#endif
    if (add)
        NAME(product_of)(1, m, n, a, rs, cs, sign, x, s);
    else
        NAME(product_of)(0, m, n, a, rs, cs, sign, x, s);
}

/* What to multiply with in place of a division by t: 1 / t, or a power of 2 apart where that is too large. */
INLINE void NAME(divide)(E *s, STORED t)
{
    STORED inverse = NAME2(reciprocal)(t);
    if (!NAME2(is_finite)(inverse) && !NAME2(is_nan)(t)) {
        const STORED up = NAME2(scaled)(NAME2(one)(), SCALE);
        TIMES(*s, up);
        inverse = NAME2(reciprocal)(NAME2(scaled)(t, SCALE));
    }
    TIMES(*s, inverse);
}

/* s (g) becomes T^-1 s for a small triangle, in registers; 1 if its diagonal has a zero */
INLINE int NAME(corner)(const int g, const int upper, const int kind, BLOCK, E *s)
{
    E x[GROUP];
    STORED inverse[GROUP];
    int zero = 0, fine = 1;
    (void)sign;
    UNROLL
    for (int i = 0; i < g; i++) {
        x[i] = s[i];
        const STORED pivot = ELEMENT(a + i * (rs + cs));
        inverse[i] = kind == DIVIDED ? NAME2(reciprocal)(pivot) : pivot; /* off the chain */
        if (kind == DIVIDED)
            fine &= NAME2(is_finite)(inverse[i]);
    }
    if (kind == DIVIDED && !fine) { /* a pivot is 0 or almost, or NaN */
        for (int kk = 0; kk < g; kk++) {
            const int k = upper ? g - 1 - kk : kk;
            const STORED pivot = ELEMENT(a + k * (rs + cs));
            zero |= NAME2(is_zero)(pivot);
            NAME(divide)(x + k, pivot);
            for (int i = upper ? 0 : k + 1; i < (upper ? k : g); i++) {
                const STORED e = ELEMENT(a + i * rs + k * cs);
                SUB_PRODUCT(x[i], e, x[k]);
            }
        }
    } else {
        UNROLL
        for (int kk = 0; kk < g; kk++) {
            const int k = upper ? g - 1 - kk : kk;
            UNROLL
            for (int i = 0; i < g; i++)
                if (upper ? i < k : i > k) {
                    STORED e = ELEMENT(a + i * rs + k * cs);
                    if (kind != IS_UNIT)
                        e = NAME2(times)(e, inverse[k]); /* then a step of the chain is one operation */
                    SUB_PRODUCT(x[i], e, x[k]);
                }
        }
        UNROLL
        for (int i = 0; i < g; i++)
            if (kind != IS_UNIT)
                TIMES(x[i], inverse[i]);
    }
    UNROLL
    for (int i = 0; i < g; i++) s[i] = x[i];
    return zero;
}

INLINE int NAME(triangle_of)(const int upper, const int kind, int64_t m, BLOCK, E *s)
{
    int zero = 0;
    int64_t done = 0;
#define TRIANGLE(g)                                                                                                    \
    do {                                                                                                               \
        const int64_t first = upper ? m - done - (g) : done;                                                           \
        const STORED *t = a + first * (rs + cs);                                                                       \
        NAME(rows)(g, 0, done, upper ? t + (g) * cs : a + first * rs, rs, cs, sign, upper ? s + first + (g) : s,       \
                   s + first);                                                                                         \
        zero |= NAME(corner)(g, upper, kind, t, rs, cs, sign, s + first);                                              \
    } while (0)
    EACH_GROUP(TRIANGLE)
#undef TRIANGLE
    return zero;
}

#if WAY == ONE && FOURS
/* The same for a large triangle whose columns are contiguous: four columns are subtracted from all rows that follow. */
INLINE int NAME(triangle_by_columns)(const int upper, const int kind, int64_t m, const REAL *a, int64_t cs, REAL *s)
{
    int zero = 0;
    for (int64_t done = 0; done < m;) {
        const int g = m - done >= 4 ? 4 : 1;
        const int64_t first = upper ? m - done - g : done;
        const REAL *t = a + first * cs;
        REAL *x = s + first;
        zero |= g == 4 ? NAME(corner)(4, upper, kind, t + first, 1, cs, 1, x)
                       : NAME(corner)(1, upper, kind, t + first, 1, cs, 1, x);
        done += g;
        int64_t i = upper ? 0 : first + g;
        const int64_t end = upper ? first : m;
        if (g == 4)
            for (; i + 4 <= end; i += 4)
                *(NAME(four) *)(s + i) -=
                    *(const NAME(four) *)(t + i) * x[0] + *(const NAME(four) *)(t + cs + i) * x[1] +
                    *(const NAME(four) *)(t + 2 * cs + i) * x[2] + *(const NAME(four) *)(t + 3 * cs + i) * x[3];
        for (; i < end; i++)
            for (int c = 0; c < g; c++) s[i] -= t[c * cs + i] * x[c];
    }
    return zero;
}
#endif

/* s (m) becomes T^-1 s for a triangle T (m, m); 1 if its diagonal has a zero */
static int NAME(triangle)(const int upper, const int kind, int64_t m, BLOCK, E *s)
{
#if WAY == TILE
    if (m > 2 * PANEL) { /* its columns in panels, whose rows of s stay in the first cache */
        int zero = 0;
        for (int64_t done = 0, g; done < m; done += g) {
            g = m - done < 2 * PANEL ? m - done : PANEL;
            const int64_t first = upper ? m - done - g : done, other = upper ? 0 : first + g;
            zero |= NAME(triangle)(upper, kind, g, a + first * (rs + cs), rs, cs, sign, s + first);
            NAME(product)(0, m - done - g, g, a + other * rs + first * cs, rs, cs, sign, s + first, s + other);
        }
        return zero;
    }
#endif
#define CASE(rs, cs)                                                                                                   \
    if (kind == IS_UNIT)                                                                                               \
        return upper ? NAME(triangle_of)(1, IS_UNIT, m, a, rs, cs, sign, s)                                            \
                     : NAME(triangle_of)(0, IS_UNIT, m, a, rs, cs, sign, s);                                           \
    if (kind == DIVIDED)                                                                                               \
        return upper ? NAME(triangle_of)(1, DIVIDED, m, a, rs, cs, sign, s)                                            \
                     : NAME(triangle_of)(0, DIVIDED, m, a, rs, cs, sign, s);                                           \
    return upper ? NAME(triangle_of)(1, RECIPROCALS, m, a, rs, cs, sign, s)                                            \
                 : NAME(triangle_of)(0, RECIPROCALS, m, a, rs, cs, sign, s);
#if WAY == ONE && !COMPLEX
#if FOURS
    if (rs == 1 && m > 16 && kind == DIVIDED)
        return upper ? NAME(triangle_by_columns)(1, DIVIDED, m, a, cs, s)
                     : NAME(triangle_by_columns)(0, DIVIDED, m, a, cs, s);
#endif
    if (rs == 1) {
        CASE(1, cs)
    }
    if (cs == 1) {
        CASE(rs, 1)
    }
#endif
    CASE(rs, cs)
#undef CASE
}

#undef EACH_GROUP
#undef EIGHT
#undef FETCH
#undef FETCHING
#undef VECTOR_ROWS
#undef E
#undef ELEMENT
#undef ADD_PRODUCT
#undef SUB_PRODUCT
#undef TIMES
#undef BLOCK
