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

#if VBYTES && defined(TABLE)
/* Lanes of 16 bytes, within which shuffles are cheap everywhere. */
typedef REAL NAME(lane16) __attribute__((vector_size(16)));
typedef WORD NAME(words16) __attribute__((vector_size(16)));
typedef REAL NAME(unaligned16) __attribute__((vector_size(16), aligned(sizeof(REAL)), may_alias));

#if VBYTES == 16
INLINE LANE16 NAME(folded)(VECTOR x) { return x; }
#else
INLINE LANE16 NAME(folded)(VECTOR x) /* low half + high half */
{
    union { VECTOR x; LANE16 halves[2]; } u = {x};
    return u.halves[0] + u.halves[1];
}
INLINE VECTOR NAME(joined)(LANE16 low, LANE16 high)
{
#if !defined(HAS_SHUFFLEVECTOR)
    union { LANE16 halves[2]; VECTOR x; } u = {{low, high}};
    return u.x;
#elif MANTISSA == 52
    return SHUFFLE(low, high, 0, 1, 2, 3);
#else
    return SHUFFLE(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
#endif
}
#endif
#endif

#ifdef TABLE
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
/* Element l = the sum of the lanes of x[l], l < LANES: sums of pairs, in half as many vectors each time. */
INLINE VECTOR NAME(sums_of_lanes)(const VECTOR *x)
{
#if VBYTES == 16 && MANTISSA == 52
    return SHUFFLE(x[0], x[1], 0, 2) + SHUFFLE(x[0], x[1], 1, 3);
#elif VBYTES == 32 && MANTISSA == 52
    const VECTOR first = SHUFFLE(x[0], x[1], 0, 4, 2, 6) + SHUFFLE(x[0], x[1], 1, 5, 3, 7);
    const VECTOR second = SHUFFLE(x[2], x[3], 0, 4, 2, 6) + SHUFFLE(x[2], x[3], 1, 5, 3, 7);
    return SHUFFLE(first, second, 0, 1, 4, 5) + SHUFFLE(first, second, 2, 3, 6, 7);
#elif VBYTES == 16
    const VECTOR first = SHUFFLE(x[0], x[1], 0, 4, 1, 5) + SHUFFLE(x[0], x[1], 2, 6, 3, 7);
    const VECTOR second = SHUFFLE(x[2], x[3], 0, 4, 1, 5) + SHUFFLE(x[2], x[3], 2, 6, 3, 7);
    return SHUFFLE(first, second, 0, 1, 4, 5) + SHUFFLE(first, second, 2, 3, 6, 7);
#else
    VECTOR pair[4], four[2];
    for (int i = 0; i < 4; i++)
        pair[i] = SHUFFLE(x[2 * i], x[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13) +
                  SHUFFLE(x[2 * i], x[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    for (int i = 0; i < 2; i++)
        four[i] = SHUFFLE(pair[2 * i], pair[2 * i + 1], 0, 1, 8, 9, 4, 5, 12, 13) +
                  SHUFFLE(pair[2 * i], pair[2 * i + 1], 2, 3, 10, 11, 6, 7, 14, 15);
    return SHUFFLE(four[0], four[1], 0, 1, 2, 3, 8, 9, 10, 11) + SHUFFLE(four[0], four[1], 4, 5, 6, 7, 12, 13, 14, 15);
#endif
}
#endif

/* columns[l][r] = p[r * stride + l], r, l < LANES */
INLINE void NAME(load_transposed)(const REAL *p, int64_t stride, VECTOR columns[WIDTH])
{
#if VBYTES == 16 && MANTISSA == 52
    const VECTOR x0 = LOAD(p), x1 = LOAD(p + stride);
    columns[0] = SHUFFLE(x0, x1, 0, 2);
    columns[1] = SHUFFLE(x0, x1, 1, 3);
#elif VBYTES == 32 && MANTISSA == 52
    for (int h = 0; h < 4; h += 2) {
        const VECTOR x02 = NAME(joined)(LOAD16(p + h), LOAD16(p + 2 * stride + h));
        const VECTOR x13 = NAME(joined)(LOAD16(p + stride + h), LOAD16(p + 3 * stride + h));
        columns[h] = SHUFFLE(x02, x13, 0, 4, 2, 6);
        columns[h + 1] = SHUFFLE(x02, x13, 1, 5, 3, 7);
    }
#elif VBYTES == 16
    const VECTOR x0 = LOAD(p), x1 = LOAD(p + stride), x2 = LOAD(p + 2 * stride), x3 = LOAD(p + 3 * stride);
    const VECTOR low01 = SHUFFLE(x0, x1, 0, 4, 1, 5), high01 = SHUFFLE(x0, x1, 2, 6, 3, 7);
    const VECTOR low23 = SHUFFLE(x2, x3, 0, 4, 1, 5), high23 = SHUFFLE(x2, x3, 2, 6, 3, 7);
    columns[0] = SHUFFLE(low01, low23, 0, 1, 4, 5);
    columns[1] = SHUFFLE(low01, low23, 2, 3, 6, 7);
    columns[2] = SHUFFLE(high01, high23, 0, 1, 4, 5);
    columns[3] = SHUFFLE(high01, high23, 2, 3, 6, 7);
#elif VBYTES == 32
    for (int h = 0; h < 8; h += 4) {
        VECTOR x[4]; /* rows r and r + 4 */
        for (int r = 0; r < 4; r++)
            x[r] = NAME(joined)(LOAD16(p + r * stride + h), LOAD16(p + (r + 4) * stride + h));
        const VECTOR low01 = SHUFFLE(x[0], x[1], 0, 8, 1, 9, 4, 12, 5, 13);
        const VECTOR high01 = SHUFFLE(x[0], x[1], 2, 10, 3, 11, 6, 14, 7, 15);
        const VECTOR low23 = SHUFFLE(x[2], x[3], 0, 8, 1, 9, 4, 12, 5, 13);
        const VECTOR high23 = SHUFFLE(x[2], x[3], 2, 10, 3, 11, 6, 14, 7, 15);
        columns[h] = SHUFFLE(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
        columns[h + 1] = SHUFFLE(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
        columns[h + 2] = SHUFFLE(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
        columns[h + 3] = SHUFFLE(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
    }
#else
    (void)stride;
    columns[0] = *p;
#endif
}
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
