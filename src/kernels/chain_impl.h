/* Chains of one instruction set. Before including:
 *   TABLE        the name of the table
 *   VECTOR_BYTES as registers hold them
 *   LINES, ROWS  cache lines and rows of a block of results: they and a line of operands fit into the registers
 */
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
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif

/* the first cache line of a workspace */
static void *aligned(void *workspace)
{
    return (void *)(((uintptr_t)workspace + 63) & ~(uintptr_t)63);
}

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

const fb_chain_kernels TABLE[FB_CHAIN_REALS] = {{pack_f32, run_f32}, {pack_f64, run_f64}};
