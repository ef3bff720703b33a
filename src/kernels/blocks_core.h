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
#define ADD_PRODUCT(e, a, y) ((e).re += (a).re * (y).re, (e).re -= (a).im * (y).im, (e).im += (a).re * (y).im, (e).im += (a).im * (y).re)
#define SUB_PRODUCT(e, a, y) ((e).re -= (a).re * (y).re, (e).re += (a).im * (y).im, (e).im -= (a).re * (y).im, (e).im -= (a).im * (y).re)
#define TIMES(e, a) ((e) = (E){(a).re * (e).re - (a).im * (e).im, (a).re * (e).im + (a).im * (e).re})
#else
#define ADD_PRODUCT(e, a, y) ((e).p += (a) * (y).p, (e).q += (a) * (y).q)
#define SUB_PRODUCT(e, a, y) ((e).p -= (a) * (y).p, (e).q -= (a) * (y).q)
#define TIMES(e, a) ((e).p *= (a), (e).q *= (a))
#endif

/* A block; its conjugate if the sign is -1 */
#define BLOCK const STORED *a, int64_t rs, int64_t cs, REAL sign

/* s (g) += or -= A (g, n) x (n) */
INLINE void NAME(rows)(const int g, const int add, int64_t n, BLOCK, const E *x, E *s)
{
    E sum[GROUP];
    (void)sign;
    UNROLL
    for (int i = 0; i < g; i++) sum[i] = s[i];
    for (int64_t j = 0; j < n; j++) {
        const E y = x[j];
        UNROLL
        for (int i = 0; i < g; i++) {
            const STORED e = ELEMENT(a + i * rs + j * cs);
            if (add)
                ADD_PRODUCT(sum[i], e, y);
            else
                SUB_PRODUCT(sum[i], e, y);
        }
    }
    UNROLL
    for (int i = 0; i < g; i++) s[i] = sum[i];
}

/* Calls f(g, ...) for groups of rows, GROUP at a time and then powers of 2, until `done` is m. */
#if GROUP == 8
#define EACH_GROUP(f)                                                                                                  \
    for (; done + 8 <= m; done += 8) f(8);                                                                             \
    SMALL_GROUPS(f)
#else
#define EACH_GROUP(f)                                                                                                  \
    for (; done + 8 <= m; done += 4) f(4);                                                                             \
    SMALL_GROUPS(f)
#endif
#define SMALL_GROUPS(f)                                                                                                \
    for (; done + 4 <= m; done += 4) f(4);                                                                             \
    for (; done + 2 <= m; done += 2) f(2);                                                                             \
    for (; done < m; done += 1) f(1);

/* s (m) += or -= A (m, n) x (n) */
INLINE void NAME(product_of)(const int add, int64_t m, int64_t n, BLOCK, const E *x, E *s)
{
    int64_t done = 0;
#define PRODUCT(g) NAME(rows)(g, add, n, a + done * rs, rs, cs, sign, x, s + done)
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
    UNROLL
    for (int kk = 0; kk < g; kk++) {
        const int k = upper ? g - 1 - kk : kk;
        if (kind == DIVIDED && !fine) {
            const STORED pivot = ELEMENT(a + k * (rs + cs));
            zero |= NAME2(is_zero)(pivot);
            NAME(divide)(x + k, pivot);
        } else if (kind != IS_UNIT)
            TIMES(x[k], inverse[k]);
        UNROLL
        for (int i = 0; i < g; i++)
            if (upper ? i < k : i > k) {
                const STORED e = ELEMENT(a + i * rs + k * cs);
                SUB_PRODUCT(x[i], e, x[k]);
            }
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

/* s (m) becomes T^-1 s for a triangle T (m, m); 1 if its diagonal has a zero */
static int NAME(triangle)(const int upper, const int kind, int64_t m, BLOCK, E *s)
{
#define CASE(rs)                                                                                                       \
    if (kind == IS_UNIT)                                                                                               \
        return upper ? NAME(triangle_of)(1, IS_UNIT, m, a, rs, cs, sign, s)                                            \
                     : NAME(triangle_of)(0, IS_UNIT, m, a, rs, cs, sign, s);                                           \
    if (kind == DIVIDED)                                                                                               \
        return upper ? NAME(triangle_of)(1, DIVIDED, m, a, rs, cs, sign, s)                                            \
                     : NAME(triangle_of)(0, DIVIDED, m, a, rs, cs, sign, s);                                           \
    return upper ? NAME(triangle_of)(1, RECIPROCALS, m, a, rs, cs, sign, s)                                            \
                 : NAME(triangle_of)(0, RECIPROCALS, m, a, rs, cs, sign, s);
#if WAY == ONE && !COMPLEX
    if (rs == 1) {
        CASE(1)
    }
#endif
    CASE(rs)
#undef CASE
}

#undef EACH_GROUP
#undef SMALL_GROUPS
#undef E
#undef ELEMENT
#undef ADD_PRODUCT
#undef SUB_PRODUCT
#undef TIMES
#undef BLOCK
