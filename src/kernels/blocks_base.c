/* Block systems for the oldest CPU of the platform, and the choice. */
#define TABLE fb_blocks_base
#define TILE_BYTES 16
#define VECTOR_BYTES 16
#define WIDE_ONLY 0
#if defined(__x86_64__) && defined(__GNUC__)
#define COMPILED_IN 0
#else
#define COMPILED_IN 1 /* there is no other table */
#endif
#include "blocks_impl.h"

size_t fb_workspace(int64_t m)
{
    return 3 * 128 * ((size_t)m + 1);
}

const fb_block_kernels *fb_choose_blocks(int element)
{
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
        return &fb_blocks_avx512[element];
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &fb_blocks_avx2[element];
#endif
    return &fb_blocks_base[element];
}
