/* Vectors of one real dtype that may start at any element, and the few operations that C does not spell.
 *
 * REAL: the dtype; WORD: the unsigned integer of its size; SUFFIX: ends every name. Where the compiler has
 * no vector extensions (VBYTES = 0), a vector is one element, and the same code is plain C.
 */
#if VBYTES
typedef REAL NAME(vector) __attribute__((vector_size(VBYTES)));
typedef WORD NAME(words) __attribute__((vector_size(VBYTES)));
typedef REAL NAME(unaligned) __attribute__((vector_size(VBYTES), aligned(sizeof(REAL)), may_alias));

INLINE WORDS NAME(bits)(VECTOR x) { return (WORDS)x; }
INLINE VECTOR NAME(real)(WORDS x) { return (VECTOR)x; }
INLINE VECTOR NAME(all)(REAL x) { return x - (VECTOR){0}; } /* -0 stays -0 */
#else
typedef REAL NAME(vector);
typedef WORD NAME(words);
typedef REAL NAME(unaligned);

INLINE WORDS NAME(bits)(VECTOR x)
{
    union { REAL x; WORD bits; } u = {x};
    return u.bits;
}
INLINE VECTOR NAME(real)(WORDS x)
{
    union { WORD bits; REAL x; } u = {x};
    return u.x;
}
INLINE VECTOR NAME(all)(REAL x) { return x; }
#endif

/* a where the mask is set, else b */
INLINE VECTOR NAME(select)(WORDS mask, VECTOR a, VECTOR b) { return REALS((mask & BITS(a)) | (~mask & BITS(b))); }

INLINE WORDS NAME(sign)(VECTOR x) { return BITS(x) & BITS(ALL(-0.0)); }
INLINE VECTOR NAME(abs)(VECTOR x) { return REALS(BITS(x) & ~BITS(ALL(-0.0))); }
INLINE VECTOR NAME(with_sign)(VECTOR x, WORDS sign) { return REALS(BITS(x) | sign); } /* x >= 0 */

/* NaN passes */
INLINE VECTOR NAME(at_most)(VECTOR x, REAL bound) { return NAME(select)(MASK(x > ALL(bound)), ALL(bound), x); }
INLINE VECTOR NAME(at_least)(VECTOR x, REAL bound) { return NAME(select)(MASK(x < ALL(bound)), ALL(bound), x); }

/* Whether the mask is set anywhere. */
INLINE int NAME(any)(WORDS mask)
{
#if VBYTES
    WORD found = 0;
    for (int64_t l = 0; l < LANES; l++) found |= mask[l];
    return found != 0;
#else
    return mask != 0;
#endif
}

#if VBYTES
/* Lanes of 16 bytes, within which shuffles are cheap everywhere. */
typedef REAL NAME(lane16) __attribute__((vector_size(16)));
typedef WORD NAME(words16) __attribute__((vector_size(16)));
typedef REAL NAME(unaligned16) __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));

/* In each lane of 16 bytes the elements, or the pairs of them, in the first or the second half of x's and of y's */
#if VBYTES == 16 && MANTISSA == 52
#define FIRST(x, y) SHUFFLE(x, y, 0, 2)
#define SECOND(x, y) SHUFFLE(x, y, 1, 3)
#elif VBYTES == 32 && MANTISSA == 52
#define FIRST(x, y) SHUFFLE(x, y, 0, 4, 2, 6)
#define SECOND(x, y) SHUFFLE(x, y, 1, 5, 3, 7)
#elif MANTISSA == 52
#define FIRST(x, y) SHUFFLE(x, y, 0, 8, 2, 10, 4, 12, 6, 14)
#define SECOND(x, y) SHUFFLE(x, y, 1, 9, 3, 11, 5, 13, 7, 15)
#elif VBYTES == 16
#define FIRST(x, y) SHUFFLE(x, y, 0, 4, 1, 5)
#define SECOND(x, y) SHUFFLE(x, y, 2, 6, 3, 7)
#define FIRST_PAIRS(x, y) SHUFFLE(x, y, 0, 1, 4, 5)
#define SECOND_PAIRS(x, y) SHUFFLE(x, y, 2, 3, 6, 7)
#elif VBYTES == 32
#define FIRST(x, y) SHUFFLE(x, y, 0, 8, 1, 9, 4, 12, 5, 13)
#define SECOND(x, y) SHUFFLE(x, y, 2, 10, 3, 11, 6, 14, 7, 15)
#define FIRST_PAIRS(x, y) SHUFFLE(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define SECOND_PAIRS(x, y) SHUFFLE(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#else
#define FIRST(x, y) SHUFFLE(x, y, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define SECOND(x, y) SHUFFLE(x, y, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define FIRST_PAIRS(x, y) SHUFFLE(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define SECOND_PAIRS(x, y) SHUFFLE(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#endif

/* the sum of all lanes of 16 bytes */
INLINE LANE16 NAME(folded)(VECTOR x)
{
    union { VECTOR x; LANE16 lanes[VBYTES / 16]; } u = {x};
#if VBYTES == 16
    return x;
#elif VBYTES == 32
    return u.lanes[0] + u.lanes[1];
#else
    return (u.lanes[0] + u.lanes[1]) + (u.lanes[2] + u.lanes[3]);
#endif
}

/* the 16 bytes at p and so many elements behind them, again and again */
INLINE VECTOR NAME(gathered)(const REAL *p, int64_t stride)
{
#if VBYTES == 16
    return LOAD16(p);
#elif VBYTES == 32 && MANTISSA == 52 && defined(HAS_SHUFFLEVECTOR)
    return SHUFFLE(LOAD16(p), LOAD16(p + stride), 0, 1, 2, 3);
#elif VBYTES == 32 && defined(HAS_SHUFFLEVECTOR)
    return SHUFFLE(LOAD16(p), LOAD16(p + stride), 0, 1, 2, 3, 4, 5, 6, 7);
#elif MANTISSA == 52 && defined(HAS_SHUFFLEVECTOR)
    return SHUFFLE(SHUFFLE(LOAD16(p), LOAD16(p + stride), 0, 1, 2, 3),
                   SHUFFLE(LOAD16(p + 2 * stride), LOAD16(p + 3 * stride), 0, 1, 2, 3), 0, 1, 2, 3, 4, 5, 6, 7);
#elif defined(HAS_SHUFFLEVECTOR)
    return SHUFFLE(SHUFFLE(LOAD16(p), LOAD16(p + stride), 0, 1, 2, 3, 4, 5, 6, 7),
                   SHUFFLE(LOAD16(p + 2 * stride), LOAD16(p + 3 * stride), 0, 1, 2, 3, 4, 5, 6, 7), 0, 1, 2, 3, 4, 5,
                   6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    union { LANE16 lanes[VBYTES / 16]; VECTOR x; } u;
    for (int l = 0; l < VBYTES / 16; l++) u.lanes[l] = LOAD16(p + l * stride);
    return u.x;
#endif
}
#endif

/* totals[i] = the sum of the lanes of x[i]; totals has room for a multiple of 4 */
INLINE void NAME(sums)(const int count, const VECTOR *x, REAL *totals)
{
#if VBYTES && MANTISSA == 52
    for (int i = 0; i < count; i += 2) {
        const LANE16 a = NAME(folded)(x[i]), b = i + 1 < count ? NAME(folded)(x[i + 1]) : (LANE16){0};
        *(NAME(unaligned16) *)(totals + i) = SHUFFLE16(a, b, 0, 2) + SHUFFLE16(a, b, 1, 3);
    }
#elif VBYTES
    for (int i = 0; i < count; i += 4) {
        LANE16 a[4];
        for (int l = 0; l < 4; l++) a[l] = i + l < count ? NAME(folded)(x[i + l]) : (LANE16){0};
        const LANE16 first = SHUFFLE16(a[0], a[1], 0, 4, 1, 5) + SHUFFLE16(a[0], a[1], 2, 6, 3, 7);
        const LANE16 second = SHUFFLE16(a[2], a[3], 0, 4, 1, 5) + SHUFFLE16(a[2], a[3], 2, 6, 3, 7);
        *(NAME(unaligned16) *)(totals + i) = SHUFFLE16(first, second, 0, 1, 4, 5) + SHUFFLE16(first, second, 2, 3, 6, 7);
    }
#else
    for (int i = 0; i < count; i++) totals[i] = x[i];
#endif
}

#if VBYTES
#if VBYTES < 64
/* Element l = the sum of the lanes of x[l], l < LANES: sums of pairs, in half as many vectors each time. */
INLINE VECTOR NAME(sums_of_lanes)(const VECTOR *x)
{
#define SUMS(i) (FIRST(x[i], x[(i) + 1]) + SECOND(x[i], x[(i) + 1]))
#if MANTISSA == 52 && VBYTES == 16
    return SUMS(0);
#elif MANTISSA == 52
    const VECTOR first = SUMS(0), second = SUMS(2);
    return SHUFFLE(first, second, 0, 1, 4, 5) + SHUFFLE(first, second, 2, 3, 6, 7);
#else
    VECTOR sums[WIDTH / 4];
    for (int i = 0; i < (int)WIDTH; i += 4) {
        const VECTOR low = SUMS(i), high = SUMS(i + 2);
        sums[i / 4] = FIRST_PAIRS(low, high) + SECOND_PAIRS(low, high);
    }
#if VBYTES == 16
    return sums[0];
#else
    return SHUFFLE(sums[0], sums[1], 0, 1, 2, 3, 8, 9, 10, 11) + SHUFFLE(sums[0], sums[1], 4, 5, 6, 7, 12, 13, 14, 15);
#endif
#endif
#undef SUMS
}
#endif

#define GROUP (16 / (int)sizeof(REAL))

/* columns[l][r] = p[r * stride + l], r < LANES, l < GROUP */
INLINE void NAME(load_transposed)(const REAL *p, int64_t stride, VECTOR *columns)
{
#if MANTISSA == 52
    const VECTOR x = NAME(gathered)(p, 2 * stride), y = NAME(gathered)(p + stride, 2 * stride);
    columns[0] = FIRST(x, y);
    columns[1] = SECOND(x, y);
#else
    VECTOR x[4];
    for (int r = 0; r < 4; r++) x[r] = NAME(gathered)(p + r * stride, 4 * stride);
    const VECTOR low01 = FIRST(x[0], x[1]), high01 = SECOND(x[0], x[1]);
    const VECTOR low23 = FIRST(x[2], x[3]), high23 = SECOND(x[2], x[3]);
    columns[0] = FIRST_PAIRS(low01, low23);
    columns[1] = SECOND_PAIRS(low01, low23);
    columns[2] = FIRST_PAIRS(high01, high23);
    columns[3] = SECOND_PAIRS(high01, high23);
#endif
}
#undef FIRST
#undef SECOND
#undef FIRST_PAIRS
#undef SECOND_PAIRS
#endif

/* c[0] + c[1] x + ...: Horner's rule in x^4, on cubics of two pairs each, has a third of the latency */
INLINE VECTOR NAME(polynomial)(VECTOR x, const REAL *c, const int count)
{
    const VECTOR square = x * x, fourth = square * square;
    VECTOR sum = ALL(0);
    for (int i = (count - 1) / 4 * 4; i >= 0; i -= 4) {
        VECTOR cubic = ALL(c[i]);
        if (i + 1 < count)
            cubic += x * c[i + 1];
        if (i + 3 < count)
            cubic += square * (ALL(c[i + 2]) + x * c[i + 3]);
        else if (i + 2 < count)
            cubic += square * c[i + 2];
        sum = i + 4 < count ? sum * fourth + cubic : cubic;
    }
    return sum;
}
