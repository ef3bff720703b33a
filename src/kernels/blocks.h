/* Bidiagonal and diagonal systems of small dense blocks in arrays: (D_k + coupling with the block before) x = b.
 *
 * A sweep goes through the blocks in the order in which they are solved: x_k = D_k^-1 (b_k - O_k x_{k-1}). Steps
 * between blocks are signed, and the strides of rows and columns any, so upper systems and transposes are the same
 * sweep. Strides count elements. Nothing is checked here.
 */
#ifndef FASTBS_BLOCKS_H
#define FASTBS_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

enum fb_element { FB_F32, FB_F64, FB_C64, FB_C128, FB_ELEMENTS };

/* What D is: the identity, a triangle, kept factors of it or of its transpose, or a kept inverse. Factors are
 * row-major, with the reciprocals of their pivots on the diagonal. */
enum fb_diagonal { FB_UNIT, FB_LOWER, FB_UPPER, FB_LU, FB_LU_TRANSPOSED, FB_CHOLESKY, FB_INVERSE, FB_DIAGONALS };

/* m x m blocks a[k * step + i * rs + j * cs] */
typedef struct {
    const void *a;
    int64_t step, rs, cs;
} fb_blocks;

/* m rows and r columns a block: x[k * step + i * rs + j * cs] */
typedef struct {
    void *a;
    int64_t step, rs, cs;
} fb_columns;

typedef struct {
    int64_t n, m, r;
    int diagonal, conj_d, conj_o; /* D, O conjugated */
    fb_blocks d, o;     /* o.a is O_1, or NULL for no coupling */
    const int32_t *pivots; /* of LU: row i was exchanged with pivots[k * pivot_step + i] */
    int64_t pivot_step;
    fb_columns b, x; /* the same array, or apart */
} fb_system;

/* Systems side by side: from one to the next, in elements. */
typedef struct {
    int64_t d, o, b, x, pivots;
} fb_lanes;

/* The functions of one dtype. `work` has fb_workspace bytes, aligned to 64. */
typedef struct {
    /* x = A^-1 b for the blocks start to stop; returns 0, or 1 + the first singular block. */
    int64_t (*solve)(const fb_system *A, int64_t start, int64_t stop, void *work);
    /* The systems first to last, all blocks; returns 0, or 1 + system * n + block. */
    int64_t (*solve_many)(const fb_system *A, const fb_lanes *lanes, int64_t first, int64_t last, void *work);
    /* x = A b likewise, for a unit, lower or upper diagonal, or FB_INVERSE for all of D; x and b are apart. */
    void (*multiply)(const fb_system *A, int64_t start, int64_t stop, void *work);
    /* f (m, m) and pivots (m) of a block; return 0 or 1 + the pivot that is 0, or not positive. */
    int64_t (*lu)(int64_t m, const void *a, int64_t rs, int64_t cs, void *f, int32_t *pivots);
    int64_t (*cholesky)(int64_t m, const void *a, int64_t rs, int64_t cs, void *f, void *work);
} fb_block_kernels;

extern const fb_block_kernels fb_blocks_base[FB_ELEMENTS];
extern const fb_block_kernels fb_blocks_avx2[FB_ELEMENTS];
extern const fb_block_kernels fb_blocks_avx512[FB_ELEMENTS]; /* for many columns, the others as AVX2 */

/* The kernels of this CPU. */
const fb_block_kernels *fb_choose_blocks(int element);

size_t fb_workspace(int64_t m);

#endif
