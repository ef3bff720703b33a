/* Structure of graphs, memory, and the choice of the sweeps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "graph.h"

#define STRETCH 65536 /* heads that 16 bits count, and the most tails */
#define MANY 1048576  /* edges of one block: between two blocks a sweep may be interrupted */

#define LARGE 4194304 /* bytes for which large pages are worth asking */
#define PAGE 4096

#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) (void)(p)
#endif

int64_t fb_allocations_left = -1, fb_allocated = 0;

void *fb_allocate(size_t count, size_t size)
{
    void *block = NULL;
    if (fb_allocations_left != 0)
        block = calloc(count ? count : 1, size); /* calloc refuses products that do not fit */
#if defined(MADV_HUGEPAGE)
    /* Page tables of small pages cost sweeps a tenth of their time; NumPy asks for large ones likewise. */
    if (block != NULL && count * size >= LARGE) {
        char *page = (char *)(((uintptr_t)block + PAGE - 1) / PAGE * PAGE);
        madvise(page, (char *)block + count * size - page, MADV_HUGEPAGE);
    }
#endif
    if (fb_allocations_left >= 0)
        fb_allocations_left--;
    fb_allocated += block != NULL;
    return block;
}

void fb_release(void *block)
{
    fb_allocated -= block != NULL;
    free(block);
}

/* Nodes of a window. What is read of all later nodes grows with the number of windows, the cache that one needs
 * with its size; the root balances them, 48 is measured. */
static int64_t window_of(int64_t nodes)
{
    const int64_t window = (int64_t)(48 * sqrt((double)nodes)) + 1;
    return window < STRETCH ? window : STRETCH;
}

/* An edge while a plan is made: where its weight stands, and its place in the two sorts. */
typedef struct {
    int64_t edge, group;
    uint32_t ends;
} item;

/* Stable: by group if `grouped`, else by head, the greatest first. `place` (groups + 1,) is scratch. */
static void sort_items(int grouped, int64_t count, int64_t groups, const item *items, int64_t *place, item *sorted)
{
#define GROUP(k) (grouped ? items[k].group : groups - 1 - (int64_t)(items[k].ends >> 16))
    memset(place, 0, (groups + 1) * sizeof(int64_t));
    for (int64_t k = 0; k < count; k++) place[GROUP(k) + 1]++;
    for (int64_t g = 0; g < groups; g++) place[g + 1] += place[g];
    for (int64_t k = 0; k < count; k++) sorted[place[GROUP(k)]++] = items[k];
#undef GROUP
}

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define NAME(f) PASTE(f, INDEX)

#define INDEX int32_t
#include "graph_structure.h"
#undef INDEX
#define INDEX int64_t
#include "graph_structure.h"
#undef INDEX

const fb_sweep_table *fb_choose_sweeps(void)
{
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &fb_sweeps_avx2;
#endif
    return &fb_sweeps_base;
}

int fb_check_structure(int index, int64_t nodes, int64_t edges, const void *indptr, const void *indices)
{
    return index == FB_INT32 ? check_structure_int32_t(nodes, edges, indptr, indices)
                             : check_structure_int64_t(nodes, edges, indptr, indices);
}

int fb_kahn_step(int index, int64_t nodes, int64_t edges, const void *indptr, const void *indices, int64_t budget,
                 fb_kahn *kahn)
{
    return index == FB_INT32 ? kahn_step_int32_t(nodes, edges, indptr, indices, budget, kahn)
                             : kahn_step_int64_t(nodes, edges, indptr, indices, budget, kahn);
}

int fb_make_plan(int real, int index, const fb_graph *g, fb_plan *plan)
{
    return index == FB_INT32 ? make_plan_int32_t(real, g, plan) : make_plan_int64_t(real, g, plan);
}

void fb_free_plan(fb_plan *plan)
{
    fb_release(plan->block);
    fb_release(plan->ends);
    fb_release(plan->weights);
}

void fb_take_rows(int real, int index, int64_t nodes, int64_t r, const void *order, const void *x, void *out)
{
    if (index == FB_INT32)
        take_rows_int32_t(real, nodes, r, order, x, out);
    else
        take_rows_int64_t(real, nodes, r, order, x, out);
}

void fb_put_rows(int real, int index, int64_t nodes, int64_t r, const void *order, const void *x, void *out)
{
    if (index == FB_INT32)
        put_rows_int32_t(real, nodes, r, order, x, out);
    else
        put_rows_int64_t(real, nodes, r, order, x, out);
}

/* An own loop: where glibc's memcpy meets an unaligned destination it can be ten times slower. */
void fb_copy(int real, int64_t count, const void *x, void *out)
{
    if (real == FB_FLOAT32)
        for (int64_t k = 0; k < count; k++) ((float *)out)[k] = ((const float *)x)[k];
    else
        for (int64_t k = 0; k < count; k++) ((double *)out)[k] = ((const double *)x)[k];
}

int fb_all_finite(int real, int64_t count, const void *x)
{
    /* 0 x is 0 for finite x, else NaN */
    double sum = 0;
    if (real == FB_FLOAT32)
        for (int64_t k = 0; k < count; k++) sum += 0 * (double)((const float *)x)[k];
    else
        for (int64_t k = 0; k < count; k++) sum += 0 * ((const double *)x)[k];
    return sum == 0;
}
