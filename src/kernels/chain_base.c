/* Chains for the oldest CPU of the platform, the plan of a chain, and the choice. */
#define VECTOR_BYTES 16
#define TABLE fb_chains_base
#include "chain_impl.h"

#define SLAB 4096 /* numbers: one fills the first level cache, and three hardly the second */
#define SMALL 16  /* sides of factors that are joined */

/* c = a x b, row-major */
#define JOIN(REAL)                                                                                                     \
    do {                                                                                                               \
        REAL *to = joined;                                                                                             \
        for (int64_t i = 0; i < a->m; i++)                                                                             \
            for (int64_t k = 0; k < b->m; k++)                                                                         \
                for (int64_t j = 0; j < a->n; j++) {                                                                   \
                    const REAL *e = (const REAL *)a->a + i * a->rs + j * unit * a->cs;                                 \
                    const REAL *row = (const REAL *)b->a + k * b->rs;                                                  \
                    for (int64_t l = 0; l < b->n; l++, row += unit * b->cs)                                            \
                        if (pairs) {                                                                                 \
                            *to++ = e[0] * row[0] - e[1] * row[1];                                                     \
                            *to++ = e[0] * row[1] + e[1] * row[0];                                                     \
                        } else                                                                                         \
                            *to++ = e[0] * row[0];                                                                     \
                }                                                                                                      \
    } while (0)

static void join(int real, int pairs, const fb_mode *a, const fb_mode *b, fb_mode *c, void *joined)
{
    const int64_t unit = pairs ? 2 : 1;
    if (real == FB_CHAIN_FLOAT32)
        JOIN(float);
    else
        JOIN(double);
    *c = (fb_mode){a->m * b->m, a->n * b->n, unit * a->n * b->n, 1, joined};
}

/* Whether mode a before mode b costs less: with sizes (m, n) if 1/m_a - 1/n_a > 1/m_b - 1/n_b, else the later axis */
static int goes_before(const fb_mode *a, const fb_mode *b)
{
    return 1.0 / (double)a->m - 1.0 / (double)a->n > 1.0 / (double)b->m - 1.0 / (double)b->n;
}

void fb_plan_chain(int real, fb_chain *chain, void *joined)
{
    int count = 0;
    const int64_t unit = chain->pairs ? 2 : 1; /* numbers of an element */
    const size_t size = (real == FB_CHAIN_FLOAT32 ? 4 : 8) * unit;
    /* from the last axis on, so that what is behind the others becomes wide; then back to the front */
    fb_mode *mode = chain->mode, joint;
    int first = chain->modes;
    for (int a = chain->modes - 1; a >= 0; a--) {
        if (first < chain->modes && mode[a].m * mode[first].m <= SMALL && mode[a].n * mode[first].n <= SMALL) {
            join(real, chain->pairs, mode + a, mode + first, &joint, (char *)joined + a * FB_JOINED * size);
            mode[first] = joint;
        } else
            mode[--first] = mode[a];
    }
    count = chain->modes - first;
    memmove(mode, mode + first, count * sizeof(fb_mode));
    chain->modes = count;
    for (int t = 0; t < count; t++) { /* insertion, from the last axis on */
        const int axis = count - 1 - t;
        int at = t;
        for (; at > 0 && goes_before(chain->mode + axis, chain->mode + chain->order[at - 1]); at--)
            chain->order[at] = chain->order[at - 1];
        chain->order[at] = axis;
    }
    int64_t dims[FB_MODES], total = 1;
    chain->largest = chain->panel = 1;
    for (int a = 0; a < count; a++) {
        dims[a] = chain->mode[a].n;
        total *= dims[a];
        const int64_t panel = chain->mode[a].m + unit * chain->mode[a].n + 2; /* lines are copied past the end */
        chain->panel = panel > chain->panel ? panel : chain->panel;
    }
    chain->inside = chain->from = 0;
    chain->slab = 0;
    int64_t widest = 1, from = count;
    for (int t = 0; t < count - 1; t++) {
        const int axis = chain->order[t];
        dims[axis] = chain->mode[axis].m;
        total = 1;
        for (int a = 0; a < count; a++) total *= dims[a];
        chain->largest = total > chain->largest ? total : chain->largest;
        from = axis < from ? axis : from;
        widest = 0; /* the largest a slab becomes meanwhile */
        int64_t now[FB_MODES];
        for (int a = 0; a < count; a++) now[a] = chain->mode[a].n;
        for (int s = -1; s <= t; s++) {
            int64_t slab = 1;
            if (s >= 0)
                now[chain->order[s]] = chain->mode[chain->order[s]].m;
            for (int64_t a = from; a < count; a++) slab *= now[a];
            widest = slab > widest ? slab : widest;
        }
        if (t > 0 && from > 0 && unit * widest <= SLAB) {
            chain->inside = t + 1;
            chain->from = (int)from;
            chain->slab = unit * widest;
        }
    }
    chain->largest *= unit;
}

int64_t fb_chain_workspace(const fb_chain *chain)
{
    return 2 * (chain->largest + chain->slab) + 16 * chain->panel;
}

fb_run_chain fb_choose_chain(int real)
{
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return fb_chains_avx2[real];
#endif
    return fb_chains_base[real];
}
