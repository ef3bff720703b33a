/* The same kernels for x86-64-v3 (AVX2 and FMA), chosen at run time by fb_choose_blocks. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define TABLE fb_blocks_avx2
#define TILE_BYTES 32
#define VECTOR_BYTES 32
#define WIDE_ONLY 0
#define COMPILED_IN 1
#include "blocks_impl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int fb_no_avx2_blocks; /* ISO C forbids an empty translation unit */
#endif
