/* Structure of graphs, memory, and the choice of the sweeps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

#define WINDOW 2048 /* nodes: x and b of a window lie in the first level cache */
#define MANY 9      /* edges: longer rows are loops */

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

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define NAME(f) PASTE(f, INDEX)

#define INDEX int32_t
#include "graph_structure.h"
#undef INDEX
#define INDEX int64_t
#include "graph_structure.h"
#undef INDEX

const fb_sweeps *fb_choose_sweeps(int real, int index, int semiring)
{
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &fb_sweeps_avx2[real][index][semiring];
#endif
    return &fb_sweeps_base[real][index][semiring];
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
    fb_release(plan->run);
    fb_release(plan->node);
    fb_release(plan->head);
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
