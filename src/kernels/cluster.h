/* Elementwise programs: one loop over tiles that stay in the first-level cache.
 *
 * A cluster is a straight-line program of micro operations on registers. A register is a tile of elements: the
 * memory of an operand itself where a tile of it is contiguous, scratch elsewhere. The index space has the axes
 * (outer ..., rows, columns); a tile is some whole rows, or a piece of one row where rows are long.
 */
#ifndef FASTBS_CLUSTER_H
#define FASTBS_CLUSTER_H

#include <stddef.h>
#include <stdint.h>

#include "functions.h"

#define FB_AXES 6          /* of an index space, after neighbouring axes were joined */
#define FB_REGISTERS 240   /* at most */

/* d = op(a, b, c, e); below FB_FUNCTIONS stand the functions of functions.h. */
enum fb_micro_opcode {
    FB_MOVE = FB_FUNCTIONS,
    FB_ADD, FB_SUB, FB_TIMES, FB_OVER,
    FB_NEG, FB_ABS, FB_SIGN,
    FB_MAX, FB_MIN,                     /* NaN if an argument is */
    FB_FMAX, FB_FMIN,                   /* the other one if an argument is NaN */
    FB_MULADD, FB_MULSUB, FB_SUBMUL,    /* a b + c, a b - c, c - a b */
    FB_TIMES_SUBMUL,                    /* e (c - a b): what the derivatives of tanh and sigmoid multiply with */
    FB_LT, FB_LE, FB_GT, FB_GE, FB_EQ, FB_NE, /* truth values are 0 and 1 */
    FB_AND, FB_OR, FB_XOR, FB_NOT,
    FB_WHERE,                           /* a ? b : c */
    FB_ISNAN, FB_ISINF, FB_ISFINITE, FB_SIGNBIT,
    FB_FLOOR, FB_CEIL, FB_RINT, FB_TRUNC,
    FB_POW, FB_ATAN2, FB_HYPOT, FB_COPYSIGN, FB_FMOD, FB_REMAINDER,
    /* Of programs of numbers alone, x, y, z, w being those of a, b, c, e. */
    FB_TIMES3,                          /* x y z */
    FB_PRODUCTS_ADD, FB_PRODUCTS_SUB,   /* x y + z w, x y - z w */
    /* The same as above with the result of the operation before in the place of one argument. */
    FB_TIMES_LAST, FB_ADD_LAST, FB_SUB_LAST, FB_SUB_LAST_FROM,
    FB_MULADD_LAST, FB_MULADD_TO_LAST, FB_MULSUB_LAST, FB_MULSUB_LAST_FROM, FB_SUBMUL_LAST, FB_SUBMUL_FROM_LAST, FB_TIMES_SUBMUL_LAST,
    FB_OVER_LAST, FB_LAST_OVER, FB_NEG_LAST,
    FB_OF_LAST,                         /* the function a */
    FB_TIMES3_LAST, FB_PRODUCTS_ADD_LAST, FB_PRODUCTS_SUB_LAST, FB_PRODUCTS_SUB_LAST_FROM,
    FB_MICRO_OPCODES
};

typedef struct {
    uint16_t op, d, a, b, c, e;
} fb_micro;

/* What an access does between memory and its register. */
enum fb_access_kind {
    FB_LOAD,
    FB_STORE,
    FB_SUM, FB_GREATEST, FB_LEAST  /* reductions: strides of the reduced axes are 0 */
};

/* Types of elements in memory, beyond the dtypes of tape.h. */
enum fb_type { FB_T_F32, FB_T_F64, FB_T_C64, FB_T_C128, FB_T_BOOL, FB_T_I32, FB_T_I64 };

typedef struct {
    int64_t slot, offset;
    int64_t strides[FB_AXES]; /* in elements of its type; 0 where broadcast or reduced */
    int32_t type, kind, reg;
    int32_t fixed;            /* a load: the same for all tiles, copied once; a reduction: goes on from what is there */
} fb_access;

/* Where the first tile of a register lies: in the memory of an operand, of a constant, or in the scratch of the
 * plan, which stays in the first-level cache. */
typedef struct {
    int64_t slot, offset; /* in bytes */
} fb_register;

typedef struct {
    int32_t dtype;             /* FB_F32 or FB_F64: of all registers */
    int32_t n_ops, n_registers;
    int32_t n_direct;          /* accesses whose registers lie in memory, where a tile of them is contiguous */
    int32_t n_loads;           /* that are copied to the register of a tile */
    int32_t n_stores;          /* that are copied from there, and reductions */
    int64_t shape[FB_AXES];    /* outer axes, rows, columns; 1 in front where there are fewer */
    int64_t outer;             /* product of the outer axes */
    int64_t tile_rows, tile_columns;
    fb_access *accesses;       /* direct ones, loads, stores */
    fb_micro *ops;
    fb_register *registers;
} fb_cluster;

typedef void (*fb_cluster_runner)(const fb_cluster *cluster, char *const *slots);

extern const fb_cluster_runner fb_clusters_base[2], fb_clusters_avx2[2];
extern const fb_cluster_runner *fb_cluster_table; /* [FB_F32, FB_F64], chosen once by fb_choose_kernels */

#endif
