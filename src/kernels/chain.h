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
} fb_mode;

typedef void (*fb_gemm)(char *, char *, int *, int *, int *, void *, void *, int *, void *, int *, void *, void *, int *);

/* How a chain runs: modes in the order of least cost, the first `inside` of them slab by slab in the cache. */
typedef struct {
    int modes, pairs;        /* pairs: 1 for complex numbers, else 0 */
    int inside, from;        /* a slab is all of the axes `from`, from + 1, ... */
    int order[FB_MODES];
    fb_mode mode[FB_MODES];
    int64_t largest, slab, panel; /* numbers of intermediates, of those of a slab, and of a packed panel */
    fb_gemm gemm;
} fb_chain;

/* Fills `order` and what follows; joins neighbours that are small, in `joined`, of FB_JOINED elements each. */
#define FB_JOINED 256
void fb_plan_chain(int real, fb_chain *chain, void *joined);

/* Numbers of workspace that one run needs. */
int64_t fb_chain_workspace(const fb_chain *chain);

/* One array; x, y and the workspace do not overlap. */
typedef void (*fb_run_chain)(const fb_chain *chain, const void *x, void *y, void *workspace);
extern const fb_run_chain fb_chains_base[FB_CHAIN_REALS], fb_chains_avx2[FB_CHAIN_REALS];
fb_run_chain fb_choose_chain(int real);

#endif
