/* The one struct of the one executor: a plan is a flat array of instructions over slots.
 *
 * A slot is a base pointer: the arrays of the caller (inputs, then outputs), constants of the plan and, last,
 * the arena that holds every intermediate. An operand is a slot, an offset and strides, so that transposes, slices,
 * broadcasts (stride 0) and scalars cost nothing. All offsets and strides count elements.
 */
#ifndef FASTBS_TAPE_H
#define FASTBS_TAPE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum fb_dtype { FB_F32, FB_F64, FB_C64, FB_C128, FB_DTYPES };

enum fb_opcode {
    FB_COPY,    /* c = a */
    FB_AXPBY,   /* c = alpha a + beta b */
    FB_MUL,     /* c = a * b */
    FB_DIV,     /* c = a / b */
    FB_GEMM,    /* c = alpha a b + beta c, by BLAS */
    FB_GEMV,    /* the same with n = 1, by BLAS */
    FB_PRODUCT, /* c = alpha a b + beta d with any strides, register-blocked, without packing a; d may be c */
    FB_INNER,   /* c = sum(a * b), c of shape () */
    FB_FILL,    /* c = 0 */
    FB_CLUSTER, /* an elementwise program, see cluster.h */
    FB_CALL,    /* the caller's: the executor stops in front of it */
    FB_LOOP,    /* instructions that run several times, see loop.h */
    FB_PARALLEL, /* the next m instructions run at the same time, see pool.h */
    FB_RECURRENCE, /* a program of numbers that runs once a step, see recurrence.h */
    FB_CHOLESKY, /* c (n, n) = its triangular factor, the lower one or, with FB_UPPER, the upper one; by LAPACK */
    FB_TRIANGULAR, /* c (m, n) = op(a)^-1 c for a triangle a (m, m) of unit lines; by BLAS */
    FB_SOLVE, /* rows of c (n, m) = a^-1 of them, a (m, m) = its factors, d = pivots, all contiguous; by LAPACK */
    FB_OPCODES
};

/* op(a) = conj(a) where the flag is set; real dtypes ignore it. */
enum fb_flag { FB_CONJ_A = 1, FB_CONJ_B = 2, FB_UPPER = 4, FB_TRANSPOSED = 8, FB_UNIT = 16 };

/* Above the flags stands how many further instructions one of these runs together with its own:
 * a cluster d = e (f - g h), a product d x' by FB_MUL, a FB_PRODUCT A' d, the first or the last left out. */
#define FB_JOINED(t) ((t)->flags >> 8)

/* A strided matrix inside a kernel. The strides come first, as in an operand: they are copied in one word, and reading
 * them in other words than they were written in would wait. */
typedef struct {
    int64_t rs, cs;
    char *p;
} fb_view;

/* c = alpha a b + beta d; c is (m, n), products sum over k. */
typedef struct {
    int64_t m, n, k;
    double alpha, beta;
    fb_view a, b, c, d;
    int flags;
} fb_product;

struct fb_instruction;

typedef struct {
    int64_t slot;      /* index into the pointer table */
    int64_t offset;    /* of element (0, 0) of the first matrix */
    int64_t rs, cs;    /* strides of rows and columns */
    int64_t bs;        /* stride of the batch axis */
} fb_operand;

/* c = alpha a b + beta d at these places, for c that is one tile of registers, or that is a vector. */
typedef void (*fb_tile)(const struct fb_instruction *t, char *a, char *b, char *c, char *d);

typedef struct fb_instruction {
    int32_t opcode, dtype, flags;
    int32_t then;      /* -1, or a function of functions.h: c = f(c) at the end, c being contiguous */
    int64_t batch;     /* the instruction runs on this many matrices */
    int64_t m, n, k;   /* c is (m, n); products sum over k */
    double alpha, beta;
    double cost;       /* estimated flops, for interrupts and the GIL */
    fb_operand a, b, c, d;
    const void *detail; /* fb_cluster of FB_CLUSTER, fb_loop of FB_LOOP, fb_recurrence of FB_RECURRENCE */
    fb_tile tile;       /* of FB_PRODUCT, chosen by fb_prepare; NULL for larger ones and those of other forms */
    void (*product)(const fb_product *p); /* of FB_PRODUCT, chosen by fb_prepare, too */
} fb_instruction;

/* d = e (f - g h), m elements, unless e is NULL: d is there then; C = d x', n columns; y = A' d unless A is NULL. All are
 * contiguous, C and A have rows of n contiguous elements; n is not below the length of a vector. */
typedef struct {
    int64_t m, n, crs, ars;
    const void *e, *f, *g, *h, *x, *a;
    void *d, *c, *y;
} fb_layer;

/* Kernels of one dtype; each computes one matrix. */
typedef struct {
    void (*copy)(int64_t m, int64_t n, fb_view a, fb_view c, int flags);
    void (*axpby)(int64_t m, int64_t n, double alpha, fb_view a, double beta, fb_view b, fb_view c, int flags);
    void (*mul)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags);
    void (*div)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags);
    void (*product)(const fb_product *p);
    fb_tile (*tile_for)(const fb_instruction *t);
    void (*inner)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags);
    void (*fill)(int64_t m, int64_t n, fb_view c);
    void (*layer)(const fb_layer *t); /* of real dtypes */
} fb_kernels;

/* BLAS and LAPACK of one dtype, filled from scipy.linalg.cython_blas and cython_lapack, the real ones only. */
typedef struct {
    void (*gemm)(char *, char *, int *, int *, int *, void *, void *, int *, void *, int *, void *, void *, int *);
    void (*gemv)(char *, int *, int *, void *, void *, int *, void *, int *, void *, void *, int *);
    void (*trsm)(char *, char *, char *, char *, int *, int *, void *, void *, int *, void *, int *);
    void (*potrf)(char *, int *, void *, int *, int *);
    void (*getrf)(int *, int *, void *, int *, int *, int *);
    void (*getrs)(char *, int *, int *, void *, int *, int *, void *, int *, int *);
} fb_blas;

extern fb_blas fb_blas_table[FB_DTYPES];
extern const fb_kernels *fb_kernel_table; /* [FB_DTYPES], chosen once by fb_choose_kernels */
extern const fb_kernels *fb_wide_kernel_table; /* of products whose lines fill twice as wide vectors; NULL for none */

extern const fb_kernels fb_kernels_base[FB_DTYPES];
extern const fb_kernels fb_kernels_avx2[FB_DTYPES], fb_kernels_avx512[FB_DTYPES];

/* Whether BLAS may use registers of 512 bits: 0 for no, 1 where they take two steps, so that they only save
 * instructions, 2 where BLAS then wins at small sizes. */
int fb_blas_width(void);

/* Chooses the kernels of this CPU; returns the name of the instruction set. */
const char *fb_choose_kernels(void);

/* Whether instructions that are prepared from now on may use vectors of 64 bytes; returns whether this CPU has them. */
int fb_use_wide_kernels(int on);

/* What can be chosen before an instruction runs. */
void fb_prepare(fb_instruction *t);

#define FB_FAILED (-INFINITY)

/* Runs code[start:count] on the slots and returns the index of the first instruction that did not run, or not to its
 * end: it stops at a call, at a matrix that is singular or not positive definite, the budget being FB_FAILED then, and
 * once about `budget` flops are done, so that the caller can look for signals. */
int64_t fb_run(const fb_instruction *code, int64_t start, int64_t count, char **slots, double *budget);

#endif
