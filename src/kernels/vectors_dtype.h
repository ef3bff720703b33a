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

/* The sum of the lanes, by halves. */
INLINE REAL NAME(total)(VECTOR x)
{
#if VBYTES
    for (int64_t half = LANES / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; l++) x[l] += x[l + half];
#endif
    return LANE(x, 0);
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
