/* Micro operations of one dtype, and straight-line programs of numbers. REAL, SUFFIX, DTYPE: as in cluster_dtype.h. */

/* x - floor(x / y) y, with the sign of y, as numpy.remainder has it */
INLINE REAL NAME(modulo)(REAL x, REAL y)
{
    REAL m = LIBM(fmod)(x, y);
    if (m != 0)
        return (y < 0) != (m < 0) ? m + y : m;
    return LIBM(copysign)((REAL)0, y);
}

/* Every micro operation on one element: x, y, z, w are those of a, b, c, e. */
#define MICRO_OPERATIONS(X)                                    \
    X(FB_MOVE, x)                                              \
    X(FB_ADD, x + y)                                           \
    X(FB_SUB, x - y)                                           \
    X(FB_TIMES, x *y)                                          \
    X(FB_OVER, x / y)                                          \
    X(FB_NEG, -x)                                              \
    X(FB_ABS, LIBM(fabs)(x))                                   \
    X(FB_SIGN, x != x ? x : (REAL)((x > 0) - (x < 0)))         \
    X(FB_MAX, x > y || x != x ? x : y)                         \
    X(FB_MIN, x < y || x != x ? x : y)                         \
    X(FB_FMAX, x > y || y != y ? x : y)                        \
    X(FB_FMIN, x < y || y != y ? x : y)                        \
    X(FB_MULADD, x *y + z)                                     \
    X(FB_MULSUB, x *y - z)                                     \
    X(FB_SUBMUL, z - x * y)                                    \
    X(FB_TIMES_SUBMUL, w *(z - x * y))                         \
    X(FB_LT, (REAL)(x < y))                                    \
    X(FB_LE, (REAL)(x <= y))                                   \
    X(FB_GT, (REAL)(x > y))                                    \
    X(FB_GE, (REAL)(x >= y))                                   \
    X(FB_EQ, (REAL)(x == y))                                   \
    X(FB_NE, (REAL)(x != y))                                   \
    X(FB_AND, (REAL)((x != 0) & (y != 0)))                     \
    X(FB_OR, (REAL)((x != 0) | (y != 0)))                      \
    X(FB_XOR, (REAL)((x != 0) ^ (y != 0)))                     \
    X(FB_NOT, (REAL)(x == 0))                                  \
    X(FB_WHERE, x != 0 ? y : z)                                \
    X(FB_ISNAN, (REAL)(x != x))                                \
    X(FB_ISINF, (REAL)(LIBM(fabs)(x) == (REAL)INFINITY))       \
    X(FB_ISFINITE, (REAL)(LIBM(fabs)(x) < (REAL)INFINITY))     \
    X(FB_SIGNBIT, (REAL)(LIBM(copysign)((REAL)1, x) < 0))      \
    X(FB_FLOOR, LIBM(floor)(x))                                \
    X(FB_CEIL, LIBM(ceil)(x))                                  \
    X(FB_RINT, LIBM(rint)(x))                                  \
    X(FB_TRUNC, LIBM(trunc)(x))                                \
    X(FB_POW, LIBM(pow)(x, y))                                 \
    X(FB_ATAN2, LIBM(atan2)(x, y))                             \
    X(FB_HYPOT, LIBM(hypot)(x, y))                             \
    X(FB_COPYSIGN, LIBM(copysign)(x, y))                       \
    X(FB_FMOD, LIBM(fmod)(x, y))                               \
    X(FB_REMAINDER, NAME(modulo)(x, y))

/* Of numbers alone: `last` is the result of the operation before, which need not come back from memory. */
#define NUMBER_OPERATIONS(X)                   \
    X(FB_TIMES3, x *y *z)                      \
    X(FB_PRODUCTS_ADD, x *y + z * w)           \
    X(FB_PRODUCTS_SUB, x *y - z * w)           \
    X(FB_TIMES_LAST, last *y)                  \
    X(FB_ADD_LAST, last + y)                   \
    X(FB_SUB_LAST, last - y)                   \
    X(FB_SUB_LAST_FROM, x - last)              \
    X(FB_MULADD_LAST, last *y + z)             \
    X(FB_MULADD_TO_LAST, x *y + last)          \
    X(FB_MULSUB_LAST, last *y - z)             \
    X(FB_MULSUB_LAST_FROM, x *y - last)        \
    X(FB_SUBMUL_LAST, z - last * y)            \
    X(FB_SUBMUL_FROM_LAST, last - x * y)       \
    X(FB_TIMES_SUBMUL_LAST, last *(z - x * y)) \
    X(FB_OVER_LAST, x / last)                  \
    X(FB_LAST_OVER, last / y)                  \
    X(FB_NEG_LAST, -last)                      \
    X(FB_TIMES3_LAST, last *y *z)              \
    X(FB_PRODUCTS_ADD_LAST, last *y + z * w)   \
    X(FB_PRODUCTS_SUB_LAST, last *y - z * w)   \
    X(FB_PRODUCTS_SUB_LAST_FROM, x *y - last * w)

/* the number at p, converted; most are of this dtype */
INLINE REAL NAME(number_at)(int type, const char *p)
{
    if (type == DTYPE)
        return *(const REAL *)p;
    switch (type) {
    case FB_T_F32: return (REAL) * (const float *)p;
    case FB_T_F64: return (REAL) * (const double *)p;
    case FB_T_BOOL: return (REAL)(*(const uint8_t *)p != 0);
    case FB_T_I32: return (REAL) * (const int32_t *)p;
    default: return (REAL) * (const int64_t *)p;
    }
}

INLINE void NAME(put_number)(int type, REAL x, char *p)
{
    if (type == DTYPE) {
        *(REAL *)p = x;
        return;
    }
    switch (type) {
    case FB_T_F32: *(float *)p = (float)x; break;
    case FB_T_F64: *(double *)p = (double)x; break;
    case FB_T_BOOL: *(uint8_t *)p = x != 0; break;
    case FB_T_I32: *(int32_t *)p = (int32_t)x; break;
    default: *(int64_t *)p = (int64_t)x;
    }
}

/* registers are numbers */
INLINE void NAME(run_numbers)(const fb_micro *op, const fb_micro *end, REAL *value)
{
    REAL last = 0;
    for (; op < end; op++) {
        switch (op->op) {
#define ONE(code, expression)                                                       \
    case code: {                                                                    \
        OWN_CODE(op);                                                               \
        const REAL x = value[op->a], y = value[op->b], z = value[op->c], w = value[op->e]; \
        (void)x, (void)y, (void)z, (void)w;                                         \
        value[op->d] = last = (REAL)(expression);                                   \
        break;                                                                      \
    }
            MICRO_OPERATIONS(ONE)
            NUMBER_OPERATIONS(ONE)
#undef ONE
        case FB_OF_LAST: value[op->d] = last = fb_one_table->SUFFIX[op->a](last); break;
        FUNCTION_CASES value[op->d] = last = fb_one_table->SUFFIX[op->op](value[op->a]); break;
        default: UNREACHABLE;
        }
    }
}

#undef NUMBER_OPERATIONS
