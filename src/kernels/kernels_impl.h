/* All kernels of one instruction set: the template of kernels_dtype.h, four times.
 *
 * Before including: VBYTES, the width of a vector register in bytes (0 where the compiler has no
 * vector extensions), and TABLE, the name of the resulting table.
 */
#include "tape.h"

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define NAME(f) PASTE(f, SUFFIX)

#if defined(__clang__)
#define NO_DEPENDENCE _Pragma("clang loop vectorize(assume_safety)")
#define INLINE static inline __attribute__((always_inline))
#elif defined(__GNUC__)
#define NO_DEPENDENCE _Pragma("GCC ivdep")
#define INLINE static inline __attribute__((always_inline))
#else
#define NO_DEPENDENCE
#define INLINE static inline
#endif

#define PANEL_K 256 /* rows of a packed panel: at most 24 KB of stack */
#define ROWS 4      /* a register tile has 4 rows and up to 3 vectors of columns */
#define VECTORS 3

#define REAL float
#define COMPLEX 0
#define SUFFIX f32
#include "kernels_dtype.h"
#undef REAL
#undef COMPLEX
#undef SUFFIX

#define REAL double
#define COMPLEX 0
#define SUFFIX f64
#include "kernels_dtype.h"
#undef REAL
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

#define ENTRY(S) {copy_##S, axpby_##S, mul_##S, div_##S, product_##S, inner_##S}
const fb_kernels TABLE[FB_DTYPES] = {ENTRY(f32), ENTRY(f64), ENTRY(c64), ENTRY(c128)};
