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

/* `count` nodes in a row with `degree` edges each. */
typedef struct {
    int64_t count, degree;
} fb_run;

/* The rows of a graph in an order in which equal degrees stand together, so that no loop length is guessed. */
typedef struct {
    int64_t nodes, edges, runs;
    fb_run *run;
    void *node;    /* (nodes,) the node of each row, numbered in topological order */
    void *head;    /* (edges,) likewise */
    void *weights; /* (edges,) */
} fb_plan;

/* Where a planned sweep stands: the next run, row and edge. */
typedef struct {
    int64_t run, row, edge;
} fb_cursor;

/* Sweeps of one dtype, index type and semiring, over r columns; b and x (nodes, r) may be the same array. */
typedef struct {
    /* Positions start to stop, counted from the end of the order for pull. Push wants x = b at the start. */
    void (*pull)(const fb_graph *g, int64_t start, int64_t stop, int64_t r, const void *b, void *x);
    void (*push)(const fb_graph *g, int64_t start, int64_t stop, int64_t r, void *x);
    /* About `budget` edges times columns from the cursor on; push goes from the end and wants x = b. */
    void (*pull_planned)(const fb_plan *p, fb_cursor *at, int64_t budget, int64_t r, const void *b, void *x);
    void (*push_planned)(const fb_plan *p, fb_cursor *at, int64_t budget, int64_t r, void *x);
} fb_sweeps;

extern const fb_sweeps fb_sweeps_base[FB_REALS][FB_INDICES][FB_SEMIRINGS];
extern const fb_sweeps fb_sweeps_avx2[FB_REALS][FB_INDICES][FB_SEMIRINGS];

/* The sweeps of this CPU. */
const fb_sweeps *fb_choose_sweeps(int real, int index, int semiring);

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
