/* Elementary functions of one real dtype, branch-free: first of a vector, then the maps over arrays.
 *
 * MANTISSA, BIAS: bits of the significand and bias of the exponent; LIBM(f): the function of <math.h>.
 * Reductions use that the sum of a small number and 1.5 2^MANTISSA holds its nearest integer in the low bits.
 * Arguments that leave the range of a reduction give anything there; what they should give is selected at the
 * end, off the critical path.
 */

/* 2^k from k + ROUNDER, for k in the range of exponents */
INLINE VECTOR NAME(power_of_two)(VECTOR rounded) { return REALS((BITS(rounded) + BIAS) << MANTISSA); }

#define NOTHING ALL(-0.0) /* the compiler knows that x + -0 is x */

/* exp(x + low) = 2^k (1 + p), low being small against x; rounded = k + ROUNDER */
typedef struct {
    VECTOR k, rounded, p;
} NAME(reduced);

INLINE NAME(reduced) NAME(reduce)(VECTOR x, VECTOR low)
{
    const VECTOR rounded = x * ALL(LOG2E) + ALL(ROUNDER), k = rounded - ALL(ROUNDER);
    const VECTOR r = (x - k * NAME(ln2_parts)[0]) - k * NAME(ln2_parts)[1] + low;
    return (NAME(reduced)){k, rounded, r + r * r * POLYNOMIAL(r, exp_polynomial)};
}

/* 2^k y for any k that may occur: the first factor is exact, the second rounds once, to subnormals, 0 or inf */
INLINE VECTOR NAME(scale)(VECTOR y, VECTOR k)
{
    const VECTOR half = k * (REAL)0.5 + ALL(ROUNDER), rest = k - (half - ALL(ROUNDER));
    return y * NAME(power_of_two)(half) * NAME(power_of_two)(rest + ALL(ROUNDER));
}

/* y, but 0 where x < low and inf where x > high; NaN passes */
INLINE VECTOR NAME(zero_or_infinity)(VECTOR y, VECTOR x, REAL low, REAL high)
{
    return NAME(select)(MASK(x > ALL(high)), ALL(INFINITY), REALS(BITS(y) & ~MASK(x < ALL(low))));
}

INLINE VECTOR NAME(exp)(VECTOR x)
{
    const NAME(reduced) e = NAME(reduce)(x, NOTHING);
    return NAME(zero_or_infinity)(NAME(scale)(1 + e.p, e.k), x, PICK(-104, -746), PICK(89, 710));
}

INLINE VECTOR NAME(exp2)(VECTOR x)
{
    const VECTOR k = (x + ALL(ROUNDER)) - ALL(ROUNDER), r = (x - k) * LN2;
    const VECTOR y = NAME(scale)(1 + (r + r * r * POLYNOMIAL(r, exp_polynomial)), k);
    return NAME(zero_or_infinity)(y, x, PICK(-151, -1076), PICK(129, 1025));
}

/* exp(x) - 1 = 2^k p + (2^k - 1) */
INLINE VECTOR NAME(expm1)(VECTOR x)
{
    const NAME(reduced) e = NAME(reduce)(x, NOTHING);
    /* 2^(BIAS + 1) does not exist: the last factor 2 is left for the end */
    const WORDS last = MASK(e.k > ALL(BIAS));
    const VECTOR power = NAME(power_of_two)(e.rounded - REALS(last & BITS(ALL(1))));
    VECTOR y = (power * e.p + (power - 1)) * NAME(select)(last, ALL(2), ALL(1));
    y = NAME(select)(MASK(x > ALL(PICK(89, 710))), ALL(INFINITY), y);
    return NAME(with_sign)(NAME(select)(MASK(x < ALL(PICK(-20, -40))), ALL(-1), y), NAME(sign)(x));
}

/* tanh|x| = u / (u + 2), u = exp(2|x|) - 1 = 2^k p + (2^k - 1); 1 from where u + 2 rounds to u */
INLINE VECTOR NAME(tanh)(VECTOR x)
{
    const VECTOR size = NAME(abs)(x);
    const NAME(reduced) e = NAME(reduce)(size + size, NOTHING);
    const VECTOR power = NAME(power_of_two)(e.rounded), y = (power * e.p + (power - 1)) / (power * e.p + (power + 1));
    return NAME(with_sign)(NAME(select)(MASK(size > ALL(PICK(10, 22))), ALL(1), y), NAME(sign)(x));
}

/* 1 / (1 + e) for x >= 0, e / (1 + e) for x < 0, e = exp(-|x|): no overflow, full accuracy in both tails */
INLINE VECTOR NAME(sigmoid)(VECTOR x)
{
    const VECTOR e = NAME(exp)(-NAME(abs)(x));
    return NAME(select)(MASK(x < ALL(0)), e, ALL(1)) / (1 + e);
}

/* exp(|x|) = 4 quarter (1 + p); |x| is clamped where cosh x overflows, quarter exists up to there */
typedef struct {
    VECTOR size, quarter, p;
} NAME(grown);

INLINE NAME(grown) NAME(grow)(VECTOR x)
{
    const VECTOR size = NAME(at_most)(NAME(abs)(x), PICK(89.7, 710.7));
    const NAME(reduced) e = NAME(reduce)(size, NOTHING);
    return (NAME(grown)){size, NAME(power_of_two)(e.rounded - 2), e.p};
}

/* sinh|x| = (u + u / (u + 1)) / 2, u = exp|x| - 1; from where 1 vanishes against u, exp(|x|) / 2 */
INLINE VECTOR NAME(sinh)(VECTOR x)
{
    const NAME(grown) e = NAME(grow)(x);
    const VECTOR power = 4 * e.quarter, u = power * e.p + (power - 1);
    const VECTOR small = (REAL)0.5 * (u + u / (u + 1)), large = 2 * (e.quarter + e.quarter * e.p);
    return NAME(with_sign)(NAME(select)(MASK(e.size > ALL(22)), large, small), NAME(sign)(x));
}

/* cosh x = e + 1 / (4 e), e = exp(|x|) / 2 */
INLINE VECTOR NAME(cosh)(VECTOR x)
{
    const NAME(grown) g = NAME(grow)(x);
    const VECTOR e = 2 * (g.quarter + g.quarter * g.p);
    return e + (REAL)0.25 / e;
}

/* log(2^k (1 + f)) = unit_high k + (unit_low k + scale log(1 + f)), where s = f / (2 + f) and
 * log(1 + f) = log((1 + s) / (1 - s)) = f - (f^2 / 2 - s (f^2 / 2 + s^2 p(s^2))) */
INLINE VECTOR NAME(log_of)(VECTOR k, VECTOR f)
{
    const VECTOR s = f / (2 + f), z = s * s, half_square = (REAL)0.5 * f * f;
    const VECTOR tail = s * (half_square + z * POLYNOMIAL(z, log_polynomial));
    return k * NAME(ln2_parts)[0] - ((half_square - (tail + k * NAME(ln2_parts)[1])) - f);
}

/* x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2); x is normal and > 0, other x give numbers without meaning */
typedef struct {
    VECTOR k, f;
} NAME(split);

INLINE NAME(split) NAME(split_normal)(VECTOR x)
{
    const WORD low = ((WORD)1 << MANTISSA) - 1;
    const WORDS moved = BITS(x) + (BITS(ALL(1)) - BITS(ALL(SQRT_HALF))); /* the exponent changes at sqrt(1/2) 2^k */
    const VECTOR biased = REALS((moved >> MANTISSA) | BITS(ALL(low + 1))) - ALL(low + 1);
    return (NAME(split)){biased - ALL(BIAS), REALS((moved & low) + BITS(ALL(SQRT_HALF))) - 1};
}

INLINE NAME(split) NAME(split_positive)(VECTOR x)
{
    const WORDS subnormal = MASK(x < ALL(PICK(FLT_MIN, DBL_MIN)));
    NAME(split) s = NAME(split_normal)(NAME(select)(subnormal, x * PICK(0x1p24, 0x1p53), x));
    s.k -= REALS(subnormal & BITS(ALL(PICK(24, 53))));
    return s;
}

/* y, the logarithm of x, where x is finite and > 0; -inf at 0, NaN below, inf and NaN as they are */
INLINE VECTOR NAME(log_edges)(VECTOR y, VECTOR x)
{
    const VECTOR pole = REALS(BITS(ALL(-INFINITY)) | (MASK(x < ALL(0)) & BITS(ALL(NAN))));
    return NAME(select)(MASK(x <= ALL(0)), pole, NAME(select)(MASK(x < ALL(INFINITY)), y, x));
}

INLINE VECTOR NAME(log)(VECTOR x)
{
    const NAME(split) s = NAME(split_positive)(x);
    return NAME(log_edges)(NAME(log_of)(s.k, s.f), x);
}

INLINE VECTOR NAME(log2)(VECTOR x)
{
    const NAME(split) s = NAME(split_positive)(x);
    return NAME(log_edges)(s.k + NAME(log_of)(ALL(0), s.f) * LOG2E, x);
}

INLINE VECTOR NAME(log10)(VECTOR x)
{
    const NAME(split) s = NAME(split_positive)(x);
    const VECTOR low = s.k * NAME(log10_2_parts)[1] + NAME(log_of)(ALL(0), s.f) * LOG10E;
    return NAME(log_edges)(s.k * NAME(log10_2_parts)[0] + low, x);
}

/* log(1 + x): with u = 1 + x rounded, and c = (1 + x) - u exact, 1 + x = 2^k (1 + f + c / 2^k); x > -1 */
INLINE VECTOR NAME(log1p_in_range)(VECTOR x, VECTOR u)
{
    const VECTOR c = NAME(select)(MASK(x < ALL(1)), x - (u - 1), 1 - (u - x));
    const NAME(split) s = NAME(split_normal)(u);
    /* where x is so large that 2^-k may not exist, c no longer counts */
    const VECTOR lost = c * NAME(power_of_two)(ALL(ROUNDER) - s.k);
    return NAME(log_of)(s.k, s.f + REALS(MASK(x < ALL(0x1p60)) & BITS(lost)));
}

INLINE VECTOR NAME(log1p)(VECTOR x)
{
    const VECTOR u = 1 + x;
    return NAME(with_sign)(NAME(log_edges)(NAME(log1p_in_range)(x, u), u), NAME(sign)(x));
}

/* log(1 + exp x) = max(x, 0) + log(1 + exp(-|x|)) */
INLINE VECTOR NAME(softplus)(VECTOR x)
{
    const VECTOR e = NAME(exp)(-NAME(abs)(x));
    return NAME(at_least)(x, 0) + NAME(log1p_in_range)(e, 1 + e);
}

INLINE VECTOR NAME(relu)(VECTOR x) { return NAME(select)(MASK(x <= ALL(0)), ALL(0), x); }

/* x^2 = high + low: high is the exact square of the leading half of x's bits */
typedef struct {
    VECTOR high, low;
} NAME(pair);

INLINE NAME(pair) NAME(square)(VECTOR x)
{
    const VECTOR leading = REALS(BITS(x) & (WORD) ~(((WORD)1 << (MANTISSA + 2) / 2) - 1));
    return (NAME(pair)){leading * leading, (x + leading) * (x - leading)};
}

/* exp(x^2) erfc(x) = (1 + p) / (1 + 2 x), x = scale y, 0 <= x up to where erfc is 0: p */
INLINE VECTOR NAME(erfcx)(VECTOR y, const double scale)
{
    const REAL shift = (REAL)(PICK(2, 3) / scale);
    return POLYNOMIAL((y - shift) / (y + shift), erfcx_polynomial);
}

/* exp(x + low) (1 + p), rounded once; low is small against x < 0 */
INLINE VECTOR NAME(exp_times)(VECTOR x, VECTOR low, VECTOR p)
{
    const NAME(reduced) e = NAME(reduce)(x, low);
    const VECTOR y = NAME(scale)(1 + (e.p + (p + e.p * p)), e.k);
    return REALS(BITS(y) & ~MASK(x < ALL(PICK(-104, -746))));
}

/* |x| <= 1 */
INLINE VECTOR NAME(erf_inside)(VECTOR x)
{
    return x + x * POLYNOMIAL(x * x, erf_polynomial);
}

/* Near 0 the rounding errors of erfcx would all count; 1 - erf(x) has two. */
INLINE VECTOR NAME(erfc)(VECTOR x)
{
    const VECTOR size = NAME(at_most)(NAME(abs)(x), PICK(10.3, 27.5));
    const NAME(pair) square = NAME(square)(size);
    const VECTOR tail = NAME(exp_times)(-square.high, -square.low, NAME(erfcx)(size, 1)) / (1 + 2 * size);
    const VECTOR outside = NAME(select)(MASK(x < ALL(0)), 2 - tail, tail);
    return NAME(select)(MASK(size < ALL(0.5)), 1 - NAME(erf_inside)(x), outside);
}

INLINE VECTOR NAME(ndtr)(VECTOR x)
{
    const VECTOR size = NAME(at_most)(NAME(abs)(x), PICK(14.5, 38.8));
    const NAME(pair) square = NAME(square)(size);
    const VECTOR p = NAME(erfcx)(size, 0.707106781186547524401);
    const VECTOR twice = NAME(exp_times)((REAL)-0.5 * square.high, (REAL)-0.5 * square.low, p);
    const VECTOR tail = twice / (2 + (REAL)2.82842712474619009760 * size);
    const VECTOR outside = NAME(select)(MASK(x > ALL(0)), 1 - tail, tail);
    const VECTOR inside = (REAL)0.5 + (REAL)0.5 * NAME(erf_inside)(SQRT_HALF * x);
    return NAME(select)(MASK(size < ALL(0.625)), inside, outside);
}

INLINE VECTOR NAME(erf)(VECTOR x)
{
    const VECTOR size = NAME(at_most)(NAME(abs)(x), PICK(4.5, 6.5));
    const VECTOR outside = 1 - NAME(exp)(-size * size) * ((1 + NAME(erfcx)(size, 1)) / (1 + 2 * size));
    return NAME(with_sign)(NAME(select)(MASK(size < ALL(1)), NAME(erf_inside)(size), outside), NAME(sign)(x));
}

/* x = n pi / 2 + r, |r| <= pi / 4; the products with n are exact up to LARGEST_ANGLE */

/* sin(x + shift pi / 2) */
INLINE VECTOR NAME(sin_shifted)(VECTOR x, const WORD shift)
{
    const VECTOR rounded = x * (1 / HALF_PI) + ALL(ROUNDER), n = rounded - ALL(ROUNDER);
    const WORDS quadrant = BITS(rounded) + shift;
    VECTOR r = x;
    for (int i = 0; i < (int)PICK(5, 4); i++) r -= n * NAME(half_pi_parts)[i];
    const VECTOR z = r * r, half_square = (REAL)0.5 * z, w = 1 - half_square;
    const VECTOR sine = NAME(with_sign)(r + r * z * POLYNOMIAL(z, sin_polynomial), NAME(sign)(r));
    const VECTOR cosine = w + (((1 - w) - half_square) + z * z * POLYNOMIAL(z, cos_polynomial));
    const VECTOR y = NAME(select)(MASK((quadrant & 1) != 0), cosine, sine);
    return REALS(BITS(y) ^ ((quadrant & 2) << (8 * sizeof(REAL) - 2)));
}

/* y, but by libm where the reduction cannot take |x|; few programs come here */
static COLD VECTOR NAME(large_angles)(VECTOR x, VECTOR y, int shift)
{
    for (int64_t l = 0; l < LANES; l++)
        if (!(LIBM(fabs)(LANE(x, l)) <= LARGEST_ANGLE))
            LANE(y, l) = shift ? LIBM(cos)(LANE(x, l)) : LIBM(sin)(LANE(x, l));
    return y;
}

INLINE VECTOR NAME(sin_or_cos)(VECTOR x, const int shift)
{
    const VECTOR y = NAME(sin_shifted)(x, shift);
    if (UNLIKELY(NAME(any)(MASK(NAME(abs)(x) > ALL(LARGEST_ANGLE)))))
        return NAME(large_angles)(x, y, shift);
    return y;
}

INLINE VECTOR NAME(sin)(VECTOR x) { return NAME(sin_or_cos)(x, 0); }
INLINE VECTOR NAME(cos)(VECTOR x) { return NAME(sin_or_cos)(x, 1); }

/* tan x = sin x / cos x */
INLINE VECTOR NAME(tan)(VECTOR x) { return NAME(sin)(x) / NAME(cos)(x); }

/* arctan|x| = base + arctan t: pi/2 and -1/|x| for large |x|, pi/4 and (|x| - 1) / (|x| + 1), 0 and |x| */
INLINE VECTOR NAME(arctan)(VECTOR x)
{
    const VECTOR size = NAME(abs)(x);
    const WORDS large = MASK(size > ALL(2.41421356)), middle = MASK(size > ALL(0.41421356)) & ~large;
    const VECTOR above = NAME(select)(large, ALL(-1), size - REALS(middle & BITS(ALL(1))));
    const VECTOR below = NAME(select)(large, size, ALL(1) + REALS(middle & BITS(size)));
    const VECTOR t = above / below, z = t * t, tail = t * z * POLYNOMIAL(z, atan_polynomial);
    const VECTOR high = REALS((large & BITS(ALL(HALF_PI))) | (middle & BITS(ALL(HALF_PI / 2))));
    const VECTOR low = REALS((large & BITS(ALL(HALF_PI_LOW))) | (middle & BITS(ALL(HALF_PI_LOW / 2))));
    return NAME(with_sign)(high + (t + (tail + low)), NAME(sign)(x));
}

/* f of one number, which stays in a register. */
#define ONE_OF(kind, name, f)                                                    \
    static kind REAL NAME(name)(REAL x)                                          \
    {                                                                            \
        VECTOR one = ONE(x);                                                     \
        one = NAME(f)(one);                                                      \
        return LANE(one, 0);                                                     \
    }

/* y = f(x). The last vector is loaded before anything is stored, so that it may overlap the one before even
 * where y is x. */
#define MAP_OF(f)                                                                \
    static void NAME(map_##f)(int64_t n, const void *from, void *to)             \
    {                                                                            \
        const REAL *x = from;                                                    \
        REAL *y = to;                                                            \
        if (n == 1) {                                                            \
            *y = NAME(one_##f)(*x);                                              \
        } else if (n >= LANES) {                                                 \
            const VECTOR last = LOAD(x + n - LANES);                             \
            for (int64_t i = 0; i < n - LANES; i += LANES)                       \
                STORE(y + i, NAME(f)(LOAD(x + i)));                              \
            STORE(y + n - LANES, NAME(f)(last));                                 \
        } else if (n > 0) {                                                      \
            REAL few[WIDTH];                                                     \
            for (int64_t i = 0; i < LANES; i++) few[i] = x[i < n ? i : 0];       \
            STORE(few, NAME(f)(LOAD(few)));                                      \
            for (int64_t i = 0; i < n; i++) y[i] = few[i];                       \
        }                                                                        \
    }

/* One tanh waits for the one before in chains of numbers: the sum of a table has half of the latency of tanh above. */
ONE_OF(COLD, far_tanh, tanh)

static inline REAL NAME(one_tanh)(REAL x)
{
    const REAL size = LIBM(fabs)(x), shift = ROUNDER / FB_TANH_STEPS, rounded = size + shift;
    if (UNLIKELY(!(size <= FB_TANH_END)))
        return NAME(far_tanh)(x);
    WORD at, first;
    memcpy(&at, &rounded, sizeof at);
    memcpy(&first, &shift, sizeof first);
    const REAL *c = fb_tanh_terms.SUFFIX[at - first], r = size - (rounded - shift), z = r * r;
    const REAL low = (c[0] + c[1] * r) + z * (c[2] + c[3] * r), high = (c[4] + c[5] * r) + z * (c[6] + c[7] * r);
    return LIBM(copysign)(low + (z * z) * high, x);
}

#define MAP_LIBM(name, f)                                                        \
    static inline REAL NAME(one_##name)(REAL x) { return LIBM(f)(x); }           \
    static void NAME(map_##name)(int64_t n, const void *from, void *to)          \
    {                                                                            \
        const REAL *x = from;                                                    \
        REAL *y = to;                                                            \
        NO_DEPENDENCE                                                            \
        for (int64_t i = 0; i < n; i++) y[i] = LIBM(f)(x[i]);                    \
    }

#define MAP(f) ONE_OF(inline, one_##f, f) MAP_OF(f)
MAP(exp)
MAP(expm1)
MAP(log)
MAP(log1p)
MAP_OF(tanh)
MAP(sigmoid)
MAP(softplus)
MAP(relu)
MAP(erf)
MAP(erfc)
MAP(ndtr)
MAP(sin)
MAP(cos)
MAP_LIBM(sqrt, sqrt)
MAP(exp2)
MAP(log2)
MAP(log10)
MAP(tan)
MAP(sinh)
MAP(cosh)
MAP(arctan)
MAP_LIBM(arcsin, asin)
MAP_LIBM(arccos, acos)
MAP_LIBM(arcsinh, asinh)
MAP_LIBM(arccosh, acosh)
MAP_LIBM(arctanh, atanh)
MAP_LIBM(cbrt, cbrt)

#undef ONE_OF
#undef MAP_OF
#undef MAP
#undef MAP_LIBM
#undef NOTHING
