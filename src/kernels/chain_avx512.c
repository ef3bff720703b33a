/* The same chains for x86-64-v4 (AVX-512), chosen at run time by fb_choose_chain. */
#include <string.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma")
#endif
#define VECTOR_BYTES 64
#define LINES 2
#define ROWS 12
#define TABLE fb_chains_avx512
#include "chain_impl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int fb_no_avx512_chains; /* ISO C forbids an empty translation unit */
#endif
