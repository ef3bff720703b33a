/* Kronecker chains: y = (A_0 x A_1 x ... ) applied to every axis of an array in C order.
 *
 * Axis a of x (n_0, ..., n_{k-1}) meets the matrix of mode a, (m, n) with any strides. A mode is a product
 * (before, n, after) -> (before, m, after) without transposes. Nothing is checked here.
 */
#ifndef FASTBS_CHAIN_H
#define FASTBS_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#define FB_MODES 64 /* NumPy's arrays have no more axes */

/* Complex chains run as real ones over pairs: every row of x is followed by i times itself, and factors, row-major,
 * are read as (m, 2 n) numbers (re, im). */
enum fb_chain_real { FB_CHAIN_FLOAT32, FB_CHAIN_FLOAT64, FB_CHAIN_REALS };

typedef struct {
    int64_t m, n, rs, cs;
    const void *a;
    const void *packed; /* the same in the order in which kernels read it */
    int64_t at;         /* and where in the workspace: from this number on */
    int is_large;       /* read by BLAS, not packed */
} fb_mode;

typedef void (*fb_gemm)(char *, char *, int *, int *, int *, void *, void *, int *, void *, int *, void *, void *, int *);

/* Modes that run together, slab by slab in the cache: all of the axes `from` to `to` - 1 of some columns of the axes
 * behind them, or of all. A single mode runs over the whole array. */
typedef struct {
    int count, from, to;
    int target; /* what it writes: 0 for y, or buffer 1 or 2 */
} fb_pass;

/* How a chain runs: modes in the order of least cost, in passes. */
typedef struct {
    int modes, pairs; /* pairs: 1 for complex numbers, else 0 */
    int passes, buffers;
    int order[FB_MODES];
    fb_pass pass[FB_MODES];
    fb_mode mode[FB_MODES];
    int64_t packed, panel, slab, largest; /* numbers of packed factors, a packed panel, a slab, a buffer */
    fb_gemm gemm;
} fb_chain;

/* Fills what follows `modes` and `pairs`; joins neighbours that are small, in `joined`, of FB_JOINED elements each. */
#define FB_JOINED 256
void fb_plan_chain(int real, fb_chain *chain, void *joined);

/* Numbers of workspace that runs need. */
int64_t fb_chain_workspace(const fb_chain *chain);

typedef struct {
    /* Once, before runs with this workspace: packs the factors. */
    void (*pack)(fb_chain *chain, void *workspace);
    /* One array; x, y and the workspace do not overlap. */
    void (*run)(const fb_chain *chain, const void *x, void *y, void *workspace);
} fb_chain_kernels;

extern const fb_chain_kernels fb_chains_base[FB_CHAIN_REALS], fb_chains_avx2[FB_CHAIN_REALS],
    fb_chains_avx512[FB_CHAIN_REALS];

/* The kernels of this CPU, at most so many steps above the oldest one of the platform. */
const fb_chain_kernels *fb_choose_chain(int real, int most);

#endif
