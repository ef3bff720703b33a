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

/* The square of vectors, transposed in registers by unpacking pairs, pairs of pairs, ... */
INLINE void NAME(transpose)(VECTOR x[WIDTH])
{
#if VBYTES == 16 && MANTISSA == 52
    const VECTOR first = SHUFFLE(x[0], x[1], 0, 2);
    x[1] = SHUFFLE(x[0], x[1], 1, 3);
    x[0] = first;
#elif VBYTES == 16
    const VECTOR low01 = SHUFFLE(x[0], x[1], 0, 4, 1, 5), high01 = SHUFFLE(x[0], x[1], 2, 6, 3, 7);
    const VECTOR low23 = SHUFFLE(x[2], x[3], 0, 4, 1, 5), high23 = SHUFFLE(x[2], x[3], 2, 6, 3, 7);
    x[0] = SHUFFLE(low01, low23, 0, 1, 4, 5);
    x[1] = SHUFFLE(low01, low23, 2, 3, 6, 7);
    x[2] = SHUFFLE(high01, high23, 0, 1, 4, 5);
    x[3] = SHUFFLE(high01, high23, 2, 3, 6, 7);
#elif VBYTES == 32 && MANTISSA == 52
    const VECTOR even01 = SHUFFLE(x[0], x[1], 0, 4, 2, 6), odd01 = SHUFFLE(x[0], x[1], 1, 5, 3, 7);
    const VECTOR even23 = SHUFFLE(x[2], x[3], 0, 4, 2, 6), odd23 = SHUFFLE(x[2], x[3], 1, 5, 3, 7);
    x[0] = SHUFFLE(even01, even23, 0, 1, 4, 5);
    x[1] = SHUFFLE(odd01, odd23, 0, 1, 4, 5);
    x[2] = SHUFFLE(even01, even23, 2, 3, 6, 7);
    x[3] = SHUFFLE(odd01, odd23, 2, 3, 6, 7);
#elif VBYTES == 32
    VECTOR quads[8]; /* lanes l and l + 4 of rows 0-3, then of rows 4-7 */
    for (int i = 0; i < 8; i += 4) {
        const VECTOR low01 = SHUFFLE(x[i], x[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        const VECTOR high01 = SHUFFLE(x[i], x[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
        const VECTOR low23 = SHUFFLE(x[i + 2], x[i + 3], 0, 8, 1, 9, 4, 12, 5, 13);
        const VECTOR high23 = SHUFFLE(x[i + 2], x[i + 3], 2, 10, 3, 11, 6, 14, 7, 15);
        quads[i] = SHUFFLE(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
        quads[i + 1] = SHUFFLE(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
        quads[i + 2] = SHUFFLE(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
        quads[i + 3] = SHUFFLE(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int l = 0; l < 4; l++) {
        x[l] = SHUFFLE(quads[l], quads[l + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        x[l + 4] = SHUFFLE(quads[l], quads[l + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#else
    (void)x;
#endif
}

/* totals[i] = the sum of the lanes of x[i]; totals has room for a multiple of LANES */
INLINE void NAME(sums)(const int count, const VECTOR *x, REAL *totals)
{
    for (int i = 0; i < count; i += (int)LANES) {
        VECTOR square[WIDTH], sum;
        for (int l = 0; l < LANES; l++) square[l] = i + l < count ? x[i + l] : ALL(0);
        NAME(transpose)(square);
        sum = square[0];
        for (int l = 1; l < LANES; l++) sum += square[l];
        STORE(totals + i, sum);
    }
}

/* c[0] + c[1] x + ... in two interleaved Horner chains, which halves the latency. */
INLINE VECTOR NAME(polynomial)(VECTOR x, const REAL *c, const int count)
{
    const VECTOR square = x * x;
    int i = count - 1, j = count - 2;
    VECTOR high = ALL(c[i]), low = ALL(c[j]);
    for (; i >= 2; i -= 2) high = high * square + ALL(c[i - 2]);
    for (; j >= 2; j -= 2) low = low * square + ALL(c[j - 2]);
    return i == 0 ? high + x * low : low + x * high;
}
