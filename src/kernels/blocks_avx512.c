/* The kernels for many columns for x86-64-v4 (AVX-512), chosen at run time by fb_choose_blocks. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma")
#endif
#define TABLE fb_blocks_avx512
#define TILE_BYTES 64
#define VECTOR_BYTES 32
#define WIDE_ONLY 1
#define COMPILED_IN 0
#include "blocks_impl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int fb_no_avx512_blocks; /* ISO C forbids an empty translation unit */
#endif
