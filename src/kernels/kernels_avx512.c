/* The functions of many elements and the products of wide matrices in vectors of 64 bytes, chosen at run time by
 * fb_choose_kernels. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx2,fma")
#endif
#define VBYTES 64
#define TABLE fb_kernels_avx512
#define MAPS fb_maps_avx512
#include "kernels_impl.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int fb_no_avx512_here; /* ISO C forbids an empty translation unit */
#endif
