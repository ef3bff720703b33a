/* Weighted directed acyclic graphs in CSR: topological order, sweeps over it, and plans for many sweeps.
 *
 * Row i of the matrix holds the edges i -> j. A pull sweep solves (I - Lt) x = b: every node adds up what the
 * heads of its edges have, in reverse topological order. A push sweep solves (I - Lt)^T x = b: every node hands
 * on what it has, in topological order. Both read the same arrays. Nothing is checked here.
 */
#ifndef FASTBS_GRAPH_H
#define FASTBS_GRAPH_H

#include <stddef.h>
#include <stdint.h>

enum fb_real { FB_FLOAT32, FB_FLOAT64, FB_REALS };
enum fb_index { FB_INT32, FB_INT64, FB_INDICES };
enum fb_semiring { FB_SUM_PRODUCT, FB_MAX_PLUS, FB_MIN_PLUS, FB_LOG_SUM_EXP, FB_SEMIRINGS };

typedef struct {
    int64_t nodes, edges;
    const void *indptr, *indices; /* (nodes + 1,), (edges,) of one index type */
    const void *weights;          /* (edges,) */
    const void *order;            /* (nodes,) a topological order, or NULL for 0, 1, 2, ... */
} fb_graph;

/* Edges from one window of the topological order into one stretch of heads. */
typedef struct {
    int64_t tail, head; /* the first node of either, numbered in topological order */
    int64_t edges;
} fb_block;

/* The edges of a graph in an order in which x[tail] += w x[head], one after the other, solves (I - Lt) x = b, and
 * backwards x[head] += w x[tail] the transposed system. Windows of tails stand from the last to the first, small
 * enough to stay in a near cache; for each, heads run down through memory. No node and no degree is read, and
 * there is no loop over the edges of a node whose length would be guessed. */
typedef struct {
    int64_t nodes, edges, blocks;
    fb_block *block; /* (blocks,) at least one a window */
    uint32_t *ends;  /* (edges,) counted from the block's: tail + 2^16 head */
    void *weights;   /* (edges,) */
} fb_plan;

/* Where a planned sweep stands: the next block and edge. */
typedef struct {
    int64_t block, edge;
} fb_cursor;

/* Sweeps of one dtype, index type and semiring, over r columns; b and x (nodes, r) may be the same array. */
typedef struct {
    /* Positions start to stop, counted from the end of the order for pull. Push wants x = b at the start. */
    void (*pull)(const fb_graph *g, int64_t start, int64_t stop, int64_t r, const void *b, void *x);
    void (*push)(const fb_graph *g, int64_t start, int64_t stop, int64_t r, void *x);
} fb_sweeps;

#define FB_FEW 4 /* columns of a planned sweep: with more, x[tail] no longer stays in a near cache */

/* The same for plans and at most FB_FEW columns: about `budget` edges times columns from the cursor on; push goes
 * from the end. */
typedef struct {
    void (*pull)(const fb_plan *p, fb_cursor *at, int64_t budget, int64_t r, const void *b, void *x);
    void (*push)(const fb_plan *p, fb_cursor *at, int64_t budget, int64_t r, void *x);
} fb_planned_sweeps;

/* All of one instruction set. */
typedef struct {
    fb_sweeps given[FB_REALS][FB_INDICES][FB_SEMIRINGS];
    fb_planned_sweeps planned[FB_REALS][FB_SEMIRINGS];
} fb_sweep_table;

extern const fb_sweep_table fb_sweeps_base, fb_sweeps_avx2;

/* The sweeps of this CPU. */
const fb_sweep_table *fb_choose_sweeps(void);

enum fb_structure { FB_BAD_INDPTR = -2, FB_BAD_INDEX = -1, FB_ANY_ORDER = 0, FB_IN_ORDER = 1 };

/* Whether the arrays are a CSR structure, and whether every edge goes up, so that 0, 1, 2, ... is an order. */
int fb_check_structure(int index, int64_t nodes, int64_t edges, const void *indptr, const void *indices);

/* Whether all of x (count,) is finite. */
int fb_all_finite(int real, int64_t count, const void *x);

/* Kahn's algorithm in steps. `waiting` (nodes,) counts the edges into a node whose tails are not in order yet;
 * both have the index type. */
typedef struct {
    int64_t edge;  /* the next edge to count */
    int64_t next;  /* the next node in `order` whose edges are to be followed */
    int64_t found; /* nodes in `order` */
    void *waiting; /* zeros at the start */
    void *order;
} fb_kahn;

/* About `budget` edges; returns whether there is more to do. At the end found < nodes if there is a cycle. */
int fb_kahn_step(int index, int64_t nodes, int64_t edges, const void *indptr, const void *indices, int64_t budget,
                 fb_kahn *kahn);

/* Fills an empty plan; returns 0, or -1 without memory, and then there is nothing to free. */
int fb_make_plan(int real, int index, const fb_graph *g, fb_plan *plan);
void fb_free_plan(fb_plan *plan);

/* out[k] = x[order[k]], and out[order[k]] = x[k], of r columns. */
void fb_take_rows(int real, int index, int64_t nodes, int64_t r, const void *order, const void *x, void *out);
void fb_put_rows(int real, int index, int64_t nodes, int64_t r, const void *order, const void *x, void *out);
void fb_copy(int real, int64_t count, const void *x, void *out);

/* All memory of this module. Tests let the allocation fail that comes after `fb_allocations_left` more; negative
 * is never. `fb_allocated` counts the blocks in use. */
extern int64_t fb_allocations_left, fb_allocated;
void *fb_allocate(size_t count, size_t size);
void fb_release(void *block);

#endif
