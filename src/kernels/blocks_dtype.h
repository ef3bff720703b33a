/* Kernels of one dtype. Before: REAL, REAL_BYTES, COMPLEX, DTYPE (a suffix), SCALE (a large power of 2). */

#define NAME2(f) PASTE(f, DTYPE)

#if COMPLEX
typedef struct {
    REAL re, im;
} NAME2(stored);
#define STORED NAME2(stored)

INLINE STORED NAME2(one)(void) { return (STORED){1, 0}; }
INLINE int NAME2(is_zero)(STORED t) { return t.re == 0 && t.im == 0; }
INLINE int NAME2(is_nan)(STORED t) { return t.re != t.re || t.im != t.im; }
INLINE int NAME2(is_finite)(STORED t) { return t.re - t.re == 0 && t.im - t.im == 0; }
INLINE STORED NAME2(scaled)(STORED t, REAL s) { return (STORED){s * t.re, s * t.im}; }
INLINE REAL NAME2(size)(STORED t) { return (t.re < 0 ? -t.re : t.re) + (t.im < 0 ? -t.im : t.im); }
INLINE STORED NAME2(from_real)(REAL x) { return (STORED){x, 0}; }
INLINE REAL NAME2(real_part)(STORED t) { return t.re; }
INLINE STORED NAME2(conjugate)(STORED t, REAL sign) { return (STORED){t.re, sign * t.im}; }
INLINE STORED NAME2(times)(STORED a, STORED b)
{
    return (STORED){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
INLINE STORED NAME2(minus)(STORED a, STORED b) { return (STORED){a.re - b.re, a.im - b.im}; }
/* Smith's: the square of the larger part does not overflow */
INLINE STORED NAME2(reciprocal)(STORED t)
{
    if ((t.re < 0 ? -t.re : t.re) >= (t.im < 0 ? -t.im : t.im)) {
        const REAL q = t.im / t.re, d = t.re + t.im * q;
        return (STORED){1 / d, -q / d};
    }
    const REAL q = t.re / t.im, d = t.re * q + t.im;
    return (STORED){q / d, -1 / d};
}
#else
#define STORED REAL
INLINE REAL NAME2(one)(void) { return 1; }
INLINE int NAME2(is_zero)(REAL t) { return t == 0; }
INLINE int NAME2(is_nan)(REAL t) { return t != t; }
INLINE int NAME2(is_finite)(REAL t) { return t - t == 0; }
INLINE REAL NAME2(scaled)(REAL t, REAL s) { return s * t; }
INLINE REAL NAME2(size)(REAL t) { return t < 0 ? -t : t; }
INLINE REAL NAME2(from_real)(REAL x) { return x; }
INLINE REAL NAME2(real_part)(REAL t) { return t; }
INLINE REAL NAME2(conjugate)(REAL t, REAL sign) { (void)sign; return t; }
INLINE REAL NAME2(times)(REAL a, REAL b) { return a * b; }
INLINE REAL NAME2(minus)(REAL a, REAL b) { return a - b; }
INLINE REAL NAME2(reciprocal)(REAL t) { return 1 / t; }
#endif

/* Whether rows of one column are computed with in vectors */
#if defined(__GNUC__) && !COMPLEX && 4 * REAL_BYTES <= VECTOR_BYTES
#define FOURS 1
#else
#define FOURS 0
#endif

#if !WIDE_ONLY
/* One column */

#define NAME(f) PASTE(one_##f, DTYPE)
#define WAY ONE
#if COMPLEX
#define GROUP 4
#else
#define GROUP 8
#endif
#include "blocks_core.h"
INLINE void NAME(load)(const STORED *p, int64_t stride, int64_t width, STORED *e)
{
    (void)stride, (void)width;
    *e = *p;
}
INLINE void NAME(store)(STORED *p, int64_t stride, int64_t width, const STORED *e)
{
    (void)stride, (void)width;
    *p = *e;
}
#define COLUMN STORED
#include "blocks_sweep.h"
#undef COLUMN
#undef GROUP
#undef WAY
#undef NAME
#endif

/* Several columns in vectors */

#if defined(__GNUC__)
#define NAME(f) PASTE(tile_##f, DTYPE)
typedef REAL NAME(vector) __attribute__((vector_size(TILE_BYTES)));
typedef REAL NAME(loose) __attribute__((vector_size(TILE_BYTES), aligned(sizeof(REAL)), may_alias)); /* anywhere */
#define LENGTH ((int64_t)(TILE_BYTES / sizeof(REAL)))
#if COMPLEX
typedef struct {
    NAME(vector) re, im;
} NAME(tile);
#define WIDTH LENGTH
INLINE void NAME(load)(const STORED *p, int64_t stride, int64_t width, NAME(tile) *e)
{
    if (width < WIDTH)
        *e = (NAME(tile)){{0}, {0}};
    for (int64_t c = 0; c < width; c++) {
        e->re[c] = p[c * stride].re;
        e->im[c] = p[c * stride].im;
    }
}
INLINE void NAME(store)(STORED *p, int64_t stride, int64_t width, const NAME(tile) *e)
{
    for (int64_t c = 0; c < width; c++) p[c * stride] = (STORED){e->re[c], e->im[c]};
}
#else
typedef struct {
    NAME(vector) p, q;
} NAME(tile);
#define WIDTH (2 * LENGTH)
typedef union {
    REAL columns[2 * TILE_BYTES / sizeof(REAL)];
    NAME(tile) tile;
} NAME(part);
INLINE void NAME(load)(const REAL *p, int64_t stride, int64_t width, NAME(tile) *e)
{
    if (stride == 1 && width == WIDTH) {
        e->p = *(const NAME(loose) *)p;
        e->q = *(const NAME(loose) *)(p + LENGTH);
        return;
    }
    NAME(part) part = {{0}};
    for (int64_t c = 0; c < width; c++) part.columns[c] = p[c * stride];
    *e = part.tile;
}
INLINE void NAME(store)(REAL *p, int64_t stride, int64_t width, const NAME(tile) *e)
{
    if (stride == 1 && width == WIDTH) {
        *(NAME(loose) *)p = e->p;
        *(NAME(loose) *)(p + LENGTH) = e->q;
        return;
    }
    const NAME(part) part = {.tile = *e};
    for (int64_t c = 0; c < width; c++) p[c * stride] = part.columns[c];
}
#endif
#define WAY TILE
#if TILE_BYTES == 64 && !COMPLEX
#define GROUP 8
#else
#define GROUP 4
#endif
#include "blocks_core.h"
#define COLUMN NAME(tile)
#include "blocks_sweep.h"
#undef COLUMN
#undef GROUP
#undef WAY
#undef NAME
#endif

#if !WIDE_ONLY
/* One column and a block size that is known: all in registers */

#if !COMPLEX && COMPILED_IN
#define NAME(f) PASTE(fixed_##f, DTYPE)
#include "blocks_fixed.h"
#undef NAME
#endif

/* One column and any block size */

#if FOURS
#define NAME(f) PASTE(fours_##f, DTYPE)
#include "blocks_fours.h"
#undef NAME
#endif

/* Factors */

INLINE int64_t NAME2(lu_of)(const int64_t m, const void *a_, int64_t rs, int64_t cs, void *f_, int32_t *pivots)
{
    const STORED *a = a_;
    STORED *f = f_;
    int64_t zero = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) f[i * m + j] = a[i * rs + j * cs];
    for (int64_t k = 0; k < m; k++) {
        int64_t p = k;
        for (int64_t i = k + 1; i < m; i++)
            if (NAME2(size)(f[i * m + k]) > NAME2(size)(f[p * m + k]))
                p = i;
        pivots[k] = (int32_t)p;
        STORED *own = f + k * m;
        if (p != k)
            for (int64_t j = 0; j < m; j++) {
                const STORED e = own[j];
                own[j] = f[p * m + j];
                f[p * m + j] = e;
            }
        if (NAME2(is_zero)(own[k])) {
            zero = zero ? zero : k + 1;
            continue;
        }
        const STORED inverse = NAME2(reciprocal)(own[k]);
        const int fine = NAME2(is_finite)(inverse);
        for (int64_t i = k + 1; i < m; i++) {
            STORED *row = f + i * m;
            if (fine)
                row[k] = NAME2(times)(row[k], inverse);
            else
                PASTE(one_divide, DTYPE)(row + k, own[k]);
            const STORED l = row[k];
            for (int64_t j = k + 1; j < m; j++) row[j] = NAME2(minus)(row[j], NAME2(times)(l, own[j]));
        }
        own[k] = inverse;
    }
    return zero;
}

static int64_t NAME2(lu)(int64_t m, const void *a, int64_t rs, int64_t cs, void *f, int32_t *pivots)
{
#if !COMPLEX
    switch (m) { /* loops of known length */
    case 2: return NAME2(lu_of)(2, a, rs, cs, f, pivots);
    case 3: return NAME2(lu_of)(3, a, rs, cs, f, pivots);
    case 4: return NAME2(lu_of)(4, a, rs, cs, f, pivots);
    case 8: return NAME2(lu_of)(8, a, rs, cs, f, pivots);
    }
#endif
#if FOURS
    if (m > 8 && m <= MOST_LU && PASTE(fours_lu, DTYPE)(m, a, rs, cs, f, pivots))
        return 0;
#endif
    return NAME2(lu_of)(m, a, rs, cs, f, pivots);
}

/* Only the lower triangle is read; above the diagonal f is left as it is. */
static int64_t NAME2(cholesky)(int64_t m, const void *a_, int64_t rs, int64_t cs, void *f_, void *work)
{
    const STORED *a = a_;
    STORED *f = f_, *column = work;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j <= i; j++) f[i * m + j] = a[i * rs + j * cs];
    for (int64_t k = 0; k < m; k++) {
        const REAL pivot = NAME2(real_part)(f[k * m + k]);
        if (pivot <= 0)
            return k + 1;
        const REAL inverse = 1 / (REAL)sqrt((double)pivot);
        f[k * m + k] = NAME2(from_real)(inverse);
        for (int64_t i = k + 1; i < m; i++) {
            f[i * m + k] = NAME2(scaled)(f[i * m + k], inverse);
            column[i] = NAME2(conjugate)(f[i * m + k], -1);
        }
        for (int64_t i = k + 1; i < m; i++) {
            STORED *row = f + i * m;
            const STORED l = row[k];
            for (int64_t j = k + 1; j <= i; j++) row[j] = NAME2(minus)(row[j], NAME2(times)(l, column[j]));
        }
    }
    return 0;
}
#endif

/* The sweeps */

#if defined(__GNUC__)
#define WIDE(f) PASTE(tile_##f, DTYPE)
#else
#define WIDE(f) PASTE(one_##f, DTYPE)
#define WIDTH 1
#endif

#if WIDE_ONLY
/* Where vectors of half the length hold all columns, those kernels are faster. */
#define HALF(f) fb_blocks_avx2[INDEX].f
#define NARROW (WIDTH / 2)

INLINE fb_system NAME2(last_columns)(const fb_system *A, int64_t first)
{
    fb_system own = *A;
    own.r = A->r - first;
    own.b.a = (STORED *)A->b.a + first * A->b.cs;
    own.x.a = (STORED *)A->x.a + first * A->x.cs;
    return own;
}
#else
#define NARROW 1
#endif

/* Rows of many columns come to the cache as a whole: of each a tile takes a line or two, which nothing foresees. A
 * single block was just written by the caller. */
INLINE void NAME2(fetch)(const fb_columns *x, int64_t m, int64_t r, int64_t start, int64_t stop)
{
#if defined(__GNUC__)
    if (x->cs != 1 || r <= WIDTH || stop - start < 2)
        return;
    for (int64_t k = start; k < stop; k++)
        for (int64_t i = 0; i < m; i++) {
            const STORED *row = (const STORED *)x->a + k * x->step + i * x->rs;
            for (int64_t c = 0; c < r; c += 64 / (int64_t)sizeof(STORED)) __builtin_prefetch(row + c, 0, 2);
        }
#else
    (void)x, (void)m, (void)r, (void)start, (void)stop;
#endif
}

static int64_t NAME2(solve_wide)(const fb_system *A, int64_t start, int64_t stop, void *work)
{
    /* as many blocks at once as stay in the second level cache with all columns */
    const int64_t run = 1 + 131072 / ((int64_t)sizeof(STORED) * (2 * A->m * (A->m + A->r) + 1));
    int64_t singular = 0;
    for (int64_t from = start; from < stop && !singular; from += run) {
        const int64_t to = from + run < stop ? from + run : stop;
        NAME2(fetch)(&A->b, A->m, A->r, from, to);
        if (A->x.a != A->b.a)
            NAME2(fetch)(&A->x, A->m, A->r, from, to);
        for (int64_t c = 0, width; c < A->r && !singular; c += width) {
            width = A->r - c < WIDTH ? A->r - c : WIDTH;
#if WIDE_ONLY
            if (width <= NARROW) {
                const fb_system own = NAME2(last_columns)(A, c);
                singular = HALF(solve)(&own, from, to, work);
                continue;
            }
#endif
#if defined(__GNUC__) && !COMPLEX
            if (A->m == 1 && A->diagonal <= FB_UPPER && A->o.a && A->b.cs == 1 && A->x.cs == 1 && width == WIDTH) {
                singular = WIDE(solve_1)(A, from, to, c, work);
                continue;
            }
#endif
            singular = WIDE(solve)(A, from, to, c, width, work);
        }
    }
    return singular;
}

static int64_t NAME2(solve)(const fb_system *A, int64_t start, int64_t stop, void *work)
{
#if WIDE_ONLY
    if (A->r <= NARROW)
        return HALF(solve)(A, start, stop, work);
#else
#if !COMPLEX && COMPILED_IN
    const PASTE(fixed_sweep, DTYPE) sweep = PASTE(fixed_find, DTYPE)(A);
    if (sweep)
        return sweep(A, start, stop, work);
#endif
#if FOURS
    if (PASTE(fours_fits, DTYPE)(A))
        return PASTE(fours_solve, DTYPE)(A, start, stop, work);
#endif
    if (A->r == 1)
        return PASTE(one_solve, DTYPE)(A, start, stop, 0, 1, work);
#endif
    return NAME2(solve_wide)(A, start, stop, work);
}

INLINE fb_system NAME2(system)(const fb_system *A, const fb_lanes *lanes, int64_t s)
{
    fb_system own = *A;
    own.d.a = (STORED *)A->d.a + s * lanes->d;
    own.o.a = A->o.a ? (STORED *)A->o.a + s * lanes->o : NULL;
    own.b.a = (STORED *)A->b.a + s * lanes->b;
    own.x.a = (STORED *)A->x.a + s * lanes->x;
    own.pivots = A->pivots + s * lanes->pivots;
    return own;
}

static int64_t NAME2(solve_many)(const fb_system *A, const fb_lanes *lanes, int64_t first, int64_t last, void *work)
{
#if WIDE_ONLY
    if (A->r <= NARROW)
        return HALF(solve_many)(A, lanes, first, last, work);
#endif
    for (; first < last; first++) {
        const fb_system own = NAME2(system)(A, lanes, first);
        const int64_t singular = NAME2(solve)(&own, 0, A->n, work);
        if (singular)
            return first * A->n + singular;
    }
    return 0;
}

static void NAME2(multiply)(const fb_system *A, int64_t start, int64_t stop, void *work)
{
    if (A->r <= NARROW) {
#if WIDE_ONLY
        HALF(multiply)(A, start, stop, work);
#else
        PASTE(one_multiply, DTYPE)(A, start, stop, 0, 1, work);
#endif
        return;
    }
    const int64_t run = 1 + 131072 / ((int64_t)sizeof(STORED) * (A->m * (A->m + 2 * A->r) + 1));
    for (int64_t from = start; from < stop; from += run) {
        const int64_t to = from + run < stop ? from + run : stop;
        for (int64_t c = 0, width; c < A->r; c += width) {
            width = A->r - c < WIDTH ? A->r - c : WIDTH;
#if WIDE_ONLY
            if (width <= NARROW) {
                const fb_system own = NAME2(last_columns)(A, c);
                HALF(multiply)(&own, from, to, work);
                continue;
            }
#endif
            WIDE(multiply)(A, from, to, c, width, work);
        }
    }
}

#if WIDE_ONLY
static int64_t NAME2(lu)(int64_t m, const void *a, int64_t rs, int64_t cs, void *f, int32_t *pivots)
{
    return HALF(lu)(m, a, rs, cs, f, pivots);
}

static int64_t NAME2(cholesky)(int64_t m, const void *a, int64_t rs, int64_t cs, void *f, void *work)
{
    return HALF(cholesky)(m, a, rs, cs, f, work);
}
#undef HALF
#endif

#define KERNELS_OF(d) {solve_##d, solve_many_##d, multiply_##d, lu_##d, cholesky_##d}

#undef FOURS
#undef NARROW
#undef WIDE
#undef WIDTH
#undef LENGTH
#undef NAME2
#undef STORED
