/* Chains of one instruction set. Before including: TABLE, VECTOR_BYTES (as registers hold them). */
#include <string.h>

#include "chain.h"

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define NAME(f) PASTE(f, SUFFIX)

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

#define REAL float
#define SUFFIX f32
#include "chain_dtype.h"
#undef REAL
#undef SUFFIX
#define REAL double
#define SUFFIX f64
#include "chain_dtype.h"
#undef REAL
#undef SUFFIX

const fb_run_chain TABLE[FB_CHAIN_REALS] = {run_f32, run_f64};
