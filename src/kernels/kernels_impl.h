/* All kernels of one instruction set: the template of kernels_dtype.h, four times, and of functions_dtype.h, for the two
 * real dtypes.
 *
 * Before including: VBYTES, the width of a vector register in bytes (0 where the compiler has no vector extensions),
 * MAPS, ONES and TABLE, the names of the resulting tables; without ONES no functions of numbers are made.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "coefficients.h"
#include "functions.h"
#include "tape.h"
#include "template.h"

/* Vectors of the dtype at hand; see vectors_dtype.h. A comparison sets all bits of a lane, or none. */
#define VECTOR NAME(vector)
#define WORDS NAME(words)
#if VBYTES
#define WIDTH (VBYTES / sizeof(REAL))
#define MASK(comparison) ((WORDS)(comparison))
#define LANE(x, l) (x)[l]
#define ONE(x) {x}
#else
#define WIDTH 1
#define MASK(comparison) ((WORD)-(int)(comparison))
#define LANE(x, l) (x)
#define ONE(x) x
#endif
#define LANES ((int64_t)WIDTH)
#define LOAD(p) ((VECTOR) * (const NAME(unaligned) *)(p))
#define STORE(p, x) (*(NAME(unaligned) *)(p) = (x))
#define LANE16 NAME(lane16)
#define WORDS16 NAME(words16)
#define LOAD16(p) ((LANE16) * (const NAME(unaligned16) *)(p))
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define HAS_SHUFFLEVECTOR
#define SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#define SHUFFLE16 SHUFFLE
#else
#define SHUFFLE(x, y, ...) __builtin_shuffle(x, y, (WORDS){__VA_ARGS__})
#define SHUFFLE16(x, y, ...) __builtin_shuffle(x, y, (WORDS16){__VA_ARGS__})
#endif
#define BITS NAME(bits)
#define REALS NAME(real)
#define ALL(x) NAME(all)((REAL)(x))
#define POLYNOMIAL(x, name) NAME(polynomial)(x, NAME(name), (int)(sizeof NAME(name) / sizeof(REAL)))

#define ROUNDER ((REAL)(3ULL << (MANTISSA - 1)))
#define IS_DOUBLE (MANTISSA == 52)
#define PICK(f32, f64) ((REAL)(IS_DOUBLE ? (f64) : (f32)))
#define LOG2E ((REAL)1.44269504088896340736)
#define LN2 ((REAL)0.693147180559945309417)
#define LOG10E ((REAL)0.434294481903251827651)
#define SQRT_HALF ((REAL)0.707106781186547524401)
#define HALF_PI ((REAL)1.57079632679489661923)
#define HALF_PI_LOW PICK(-4.37113883e-8, 6.12323399573676604e-17) /* pi / 2 - HALF_PI */
#define LARGEST_ANGLE PICK(12000, 1e6) /* of the own reduction of sin and cos */

#define PANEL_K 256 /* rows of a packed panel: at most 24 KB of stack, 48 KB of the widest vectors */
#define VECTORS 3   /* a register tile has up to 3 vectors of columns: */
#if VBYTES == 64    /* of 32 registers */
#define ROWS 8
#define TALLEST 8
#define MOST_ROWS 8
#define ROWS_OF_TILES(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v) X(7, v) X(8, v)
#define TILES(X) ROWS_OF_TILES(X, 1) ROWS_OF_TILES(X, 2) ROWS_OF_TILES(X, 3)
#else
#define ROWS 4      /* and then 4 rows, */
#define TALLEST 6   /* with two 6, */
#define MOST_ROWS 8 /* with one 8, which by themselves do not wait for their sums */
#define TILES(X)                                                                \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1)             \
    X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2)                             \
    X(1, 3) X(2, 3) X(3, 3) X(4, 3)
#endif
#define MOST(vectors) ((vectors) == 3 ? ROWS : (vectors) == 2 ? TALLEST : MOST_ROWS)
#define BLOCK_M 128 /* rows of a that stay in the second cache, 256 KB with PANEL_K columns of float64 */
#define NEAR 32768 /* bytes: the first cache */

#define REAL float
#define WORD uint32_t
#define MANTISSA 23
#define BIAS 127
#define LIBM(name) name##f
#define COMPLEX 0
#define SUFFIX f32
#include "vectors_dtype.h"
#include "functions_dtype.h"
#include "kernels_dtype.h"
#undef REAL
#undef WORD
#undef MANTISSA
#undef BIAS
#undef LIBM
#undef COMPLEX
#undef SUFFIX

#define REAL double
#define WORD uint64_t
#define MANTISSA 52
#define BIAS 1023
#define LIBM(name) name
#define COMPLEX 0
#define SUFFIX f64
#include "vectors_dtype.h"
#include "functions_dtype.h"
#include "kernels_dtype.h"
#undef REAL
#undef WORD
#undef MANTISSA
#undef BIAS
#undef LIBM
#undef COMPLEX
#undef SUFFIX

#define REAL float
#define COMPLEX 1
#define SUFFIX c64
#include "kernels_dtype.h"
#undef REAL
#undef COMPLEX
#undef SUFFIX

#define REAL double
#define COMPLEX 1
#define SUFFIX c128
#include "kernels_dtype.h"
#undef REAL
#undef COMPLEX
#undef SUFFIX

#define ENTRY(S, layer) {copy_##S, axpby_##S, mul_##S, div_##S, product_##S, tile_for_##S, inner_##S, fill_##S, layer}
const fb_kernels TABLE[FB_DTYPES] = {
    ENTRY(f32, layer_f32), ENTRY(f64, layer_f64), ENTRY(c64, NULL), ENTRY(c128, NULL),
};

#define FUNCTIONS(kind, S)                                                                                          \
    {                                                                                                               \
        kind##_exp_##S, kind##_expm1_##S, kind##_log_##S, kind##_log1p_##S, kind##_tanh_##S, kind##_sigmoid_##S,    \
            kind##_softplus_##S, kind##_relu_##S, kind##_erf_##S, kind##_erfc_##S, kind##_ndtr_##S, kind##_sin_##S, \
            kind##_cos_##S, kind##_sqrt_##S, kind##_exp2_##S, kind##_log2_##S, kind##_log10_##S, kind##_tan_##S,    \
            kind##_sinh_##S, kind##_cosh_##S, kind##_arctan_##S, kind##_arcsin_##S, kind##_arccos_##S,              \
            kind##_arcsinh_##S, kind##_arccosh_##S, kind##_arctanh_##S, kind##_cbrt_##S                             \
    }
const fb_maps MAPS = {FUNCTIONS(map, f32), FUNCTIONS(map, f64)};
#ifdef ONES
const fb_ones ONES = {FUNCTIONS(one, f32), FUNCTIONS(one, f64)};
#endif
