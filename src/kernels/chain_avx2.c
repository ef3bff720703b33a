/* The same chains for x86-64-v3 (AVX2 and FMA), chosen at run time by fb_choose_chain. */
#include <string.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VECTOR_BYTES 32
#define LINES 1
#define ROWS 6
#define TABLE fb_chains_avx2
#include "chain_impl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int fb_no_avx2_chains; /* ISO C forbids an empty translation unit */
#endif
