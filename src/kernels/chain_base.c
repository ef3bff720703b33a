/* Chains for the oldest CPU of the platform, the plan of a chain, and the choice. */
#define VECTOR_BYTES 16
#define LINES 1
#define ROWS 3
#define TABLE fb_chains_base
#include "chain_impl.h"

#define SMALL 16 /* sides of factors that are joined */
#define LARGE 65 /* sides from which on BLAS is faster */
/* Numbers of a slab. Two slabs, and what is read and written meanwhile, stay in the first level cache, or in the second,
 * which is worth it for two modes. */
#define FIRST_LEVEL 1024
#define SECOND_LEVEL 4096

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

/* Joins neighbours, from the last axis on, so that what is behind the others becomes wide */
static void join_small(int real, fb_chain *chain, char *joined)
{
    const size_t size = (real == FB_CHAIN_FLOAT32 ? 4 : 8) * (chain->pairs ? 2 : 1);
    fb_mode *mode = chain->mode, joint;
    int first = chain->modes;
    for (int a = chain->modes - 1; a >= 0; a--) {
        if (first < chain->modes && mode[a].m * mode[first].m <= SMALL && mode[a].n * mode[first].n <= SMALL) {
            join(real, chain->pairs, mode + a, mode + first, &joint, joined + a * FB_JOINED * size);
            mode[first] = joint;
        } else
            mode[--first] = mode[a];
    }
    chain->modes -= first;
    memmove(mode, mode + first, chain->modes * sizeof(fb_mode));
}

static int64_t product(const int64_t *dims, int from, int to)
{
    int64_t size = 1;
    for (int a = from; a < to; a++) size *= dims[a];
    return size;
}

static int is_large(const fb_mode *mode, int64_t before, int64_t after)
{
    const int64_t ld = mode->cs == 1 ? mode->rs : mode->cs, most = INT32_MAX;
    return mode->m >= LARGE && mode->n >= LARGE && (mode->cs == 1 || mode->rs == 1)
           && ld >= (mode->cs == 1 ? mode->n : mode->m) && ld <= most && before <= most && after <= most
           && mode->m <= most && mode->n <= most;
}

/* The numbers of the largest slab if `count` modes run together on an array of these dims */
static int64_t slab_of(const fb_chain *chain, const int *order, int count, const int64_t *dims, int64_t line,
                       fb_pass *pass)
{
    const int64_t unit = chain->pairs ? 2 : 1;
    int64_t now[FB_MODES], widest = 0;
    pass->count = count;
    pass->from = pass->to = order[0];
    for (int t = 0; t < count; t++) {
        pass->from = order[t] < pass->from ? order[t] : pass->from;
        pass->to = order[t] > pass->to ? order[t] : pass->to;
    }
    pass->to++;
    if (count > 1 && unit * product(dims, pass->to, chain->modes) < 2 * line)
        pass->to = chain->modes;
    memcpy(now, dims, chain->modes * sizeof(int64_t));
    for (int t = 0; t < count; t++) {
        now[order[t]] = chain->mode[order[t]].m;
        const int64_t slab = product(now, pass->from, pass->to);
        widest = slab > widest ? slab : widest;
    }
    return widest * (pass->to == chain->modes ? unit : 2 * line);
}

/* Whether the results of a pass may stand where its operands stood: strips of whole lines, as large as before */
static int is_in_place(const fb_chain *chain, const int *order, const fb_pass *pass, const int64_t *dims, int64_t line)
{
    const int64_t after = (chain->pairs ? 2 : 1) * product(dims, pass->to, chain->modes);
    int64_t in = 1, out = 1;
    for (int t = 0; t < pass->count; t++) {
        in *= chain->mode[order[t]].n;
        out *= chain->mode[order[t]].m;
    }
    return pass->to < chain->modes && after % line == 0 && in == out && !chain->mode[order[0]].is_large;
}

void fb_plan_chain(int real, fb_chain *chain, void *joined)
{
    join_small(real, chain, joined);
    const int count = chain->modes;
    const int64_t unit = chain->pairs ? 2 : 1, line = real == FB_CHAIN_FLOAT32 ? 16 : 8;
    int *order = chain->order, in_place[FB_MODES];
    int64_t dims[FB_MODES], sizes[FB_MODES];
    for (int t = 0; t < count; t++) { /* insertion, from the last axis on */
        const int axis = count - 1 - t;
        int at = t;
        for (; at > 0 && goes_before(chain->mode + axis, chain->mode + order[at - 1]); at--) order[at] = order[at - 1];
        order[at] = axis;
    }
    for (int a = 0; a < count; a++) dims[a] = chain->mode[a].n;
    for (int t = 0; t < count; t++) {
        fb_mode *mode = chain->mode + order[t];
        mode->is_large = is_large(mode, product(dims, 0, order[t]), unit * product(dims, order[t] + 1, count));
        dims[order[t]] = mode->m;
    }
    chain->packed = chain->panel = chain->slab = chain->largest = 0;
    for (int a = 0; a < count; a++) { /* whole lines */
        fb_mode *mode = chain->mode + a;
        const int64_t width = a == count - 1 ? (unit * mode->m + line - 1) / line * line : mode->m;
        const int64_t panel = mode->m + unit * mode->n + 2; /* lines are copied past the end */
        mode->at = chain->packed;
        if (!mode->is_large)
            chain->packed += (width * unit * mode->n + line - 1) / line * line;
        chain->panel = 2 * line * panel > chain->panel ? 2 * line * panel : chain->panel;
        dims[a] = mode->n;
    }
    chain->passes = 0;
    for (int t = 0; t < count;) {
        fb_pass *pass = chain->pass + chain->passes, more;
        slab_of(chain, order + t, 1, dims, line, pass);
        while (t + pass->count < count && !chain->mode[order[t]].is_large
               && !chain->mode[order[t + pass->count]].is_large) {
            const int64_t slab = slab_of(chain, order + t, pass->count + 1, dims, line, &more);
            if (slab > (pass->count == 1 ? SECOND_LEVEL : FIRST_LEVEL))
                break;
            *pass = more;
            chain->slab = slab > chain->slab ? slab : chain->slab;
        }
        in_place[chain->passes] = is_in_place(chain, order + t, pass, dims, line);
        for (int s = 0; s < pass->count; s++) dims[order[t + s]] = chain->mode[order[t + s]].m;
        sizes[chain->passes++] = unit * product(dims, 0, count);
        t += pass->count;
    }
    chain->slab = (chain->slab + line - 1) / line * line;
    chain->buffers = 0;
    for (int p = chain->passes - 1, target = 0; p >= 0; p--) {
        chain->pass[p].target = target;
        if (target) {
            chain->largest = sizes[p] > chain->largest ? sizes[p] : chain->largest;
            chain->buffers = target > chain->buffers ? target : chain->buffers;
        }
        if (!in_place[p])
            target = target == 1 ? 2 : 1;
    }
    chain->largest = (chain->largest + line - 1) / line * line;
}

int64_t fb_chain_workspace(const fb_chain *chain)
{
    return 16 + chain->packed + chain->panel + 2 * chain->slab + chain->buffers * chain->largest;
}

const fb_chain_kernels *fb_choose_chain(int real, int most)
{
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (most >= 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq"))
        return fb_chains_avx512 + real;
    if (most >= 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return fb_chains_avx2 + real;
#endif
    (void)most;
    return fb_chains_base + real;
}
