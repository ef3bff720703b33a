/* The same kernels for x86-64-v3 (AVX2 and FMA), chosen at run time by fb_choose_kernels. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VBYTES 32
#define TABLE fb_kernels_avx2
#define MAPS fb_maps_avx2
#define ONES fb_ones_avx2
#include "kernels_impl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int fb_no_avx2_here; /* ISO C forbids an empty translation unit */
#endif
