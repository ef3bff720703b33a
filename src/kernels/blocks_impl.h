/* The kernels of one instruction set, for four dtypes. Before including:
 *   TABLE        the name of the table
 *   TILE_BYTES   the length of vectors of columns
 *   VECTOR_BYTES the length of vectors of rows, as registers hold them
 *   COMPILED_IN  whether there are sweeps for single block sizes: they take minutes to compile
 *   WIDE_ONLY    whether few columns are left to the kernels for AVX2
 */
#include <math.h>
#include <string.h>

#include "blocks.h"

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define OWN_CODE(x) __asm__ volatile("" : "+r"(x)) /* addresses are computed from x, not counted along with it */
#else
#define INLINE static inline
#define _Pragma(x)
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi" /* functions that take vectors are inlined: no ABI is concerned */
#endif

/* ways to compute */
#define ONE 1
#define TILE 2

/* triangles: with ones on the diagonal, with pivots there, with their reciprocals */
enum { IS_UNIT, DIVIDED, RECIPROCALS };

#define PANEL 64 /* columns of a triangle at a time */
#define MOST_FOURS 128 /* rows of blocks that are solved with four rows at a time */
#define MOST_LU 32     /* rows of blocks that are factorized in vectors: a row is named by five bits */
#define UNROLL _Pragma("GCC unroll 8")

#define REAL float
#define REAL_BYTES 4
#define TINY 2.4e-38f /* the reciprocals of smaller numbers may overflow */
#define SCALE 1.0995116e12f
#define COMPLEX 0
#define DTYPE f32
#define INDEX FB_F32
#include "blocks_dtype.h"
#undef INDEX
#undef COMPLEX
#undef DTYPE
#define COMPLEX 1
#define DTYPE c64
#define INDEX FB_C64
#include "blocks_dtype.h"
#undef INDEX
#undef COMPLEX
#undef DTYPE
#undef REAL
#undef REAL_BYTES
#undef TINY
#undef SCALE

#define REAL double
#define REAL_BYTES 8
#define TINY 4.5e-308
#define SCALE 1.2676506002282294e30
#define COMPLEX 0
#define DTYPE f64
#define INDEX FB_F64
#include "blocks_dtype.h"
#undef INDEX
#undef COMPLEX
#undef DTYPE
#define COMPLEX 1
#define DTYPE c128
#define INDEX FB_C128
#include "blocks_dtype.h"
#undef INDEX
#undef COMPLEX
#undef DTYPE

const fb_block_kernels TABLE[FB_ELEMENTS] = {KERNELS_OF(f32), KERNELS_OF(f64), KERNELS_OF(c64), KERNELS_OF(c128)};
