/* Planned sweeps of one dtype and semiring.
 *
 * Before including: REAL, and TIMES(w, x) and PLUS(x, y) of the SEMIRING. Edge e of a block joins the tail
 * `ends[e] & 0xffff` and the head `ends[e] >> 16`; x and b have r columns, 1 to FB_FEW.
 */

/* to = to + w from, for r columns in registers */
INLINE void NAME(add)(const int64_t r, REAL w, const REAL *from, REAL *to)
{
    REAL sum[FB_FEW];
    for (int c = 0; c < r; c++) sum[c] = PLUS(to[c], TIMES(w, from[c]));
    for (int c = 0; c < r; c++) to[c] = sum[c];
}

/* `count` edges, forwards for pull; r is known where this is inlined. Both ends come in one load, and eight
 * edges, a cache line of weights, in a round. Edges are fetched past the near caches, which x[tail] needs: a sixth
 * of the time; push gains nothing by it. */
INLINE void NAME(pull_edges)(int64_t count, const uint32_t *ends, const REAL *w, const int64_t r, const REAL *head,
                             REAL *tail)
{
    int64_t e = 0;
    for (; e + 8 <= count; e += 8) {
        PREFETCH_ONCE(ends + e + AHEAD);
        PREFETCH_ONCE(w + e + AHEAD);
        for (int k = 0; k < 8; k++)
            NAME(add)(r, w[e + k], head + (ends[e + k] >> 16) * r, tail + (ends[e + k] & 0xffff) * r);
    }
    for (; e < count; e++) NAME(add)(r, w[e], head + (ends[e] >> 16) * r, tail + (ends[e] & 0xffff) * r);
}

INLINE void NAME(push_edges)(int64_t count, const uint32_t *ends, const REAL *w, const int64_t r, const REAL *tail,
                             REAL *head)
{
    int64_t e = count;
    for (; e >= 4; e -= 4)
        for (int k = 1; k <= 4; k++)
            NAME(add)(r, w[e - k], tail + (ends[e - k] & 0xffff) * r, head + (ends[e - k] >> 16) * r);
    for (; e-- > 0;) NAME(add)(r, w[e], tail + (ends[e] & 0xffff) * r, head + (ends[e] >> 16) * r);
}

/* f(count, ends, w, r, from, to) with r, from 1 to 4, a constant */
#define EACH_WIDTH(f, count, ends, w, r, from, to)                                                                  \
    switch (r) {                                                                                                    \
    case 1: f(count, ends, w, 1, from, to); break;                                                                  \
    case 2: f(count, ends, w, 2, from, to); break;                                                                  \
    case 3: f(count, ends, w, 3, from, to); break;                                                                  \
    default: f(count, ends, w, 4, from, to);                                                                        \
    }

static void NAME(pull_planned)(const fb_plan *p, fb_cursor *at, int64_t budget, int64_t r, const void *b_, void *x_)
{
    const REAL *b = b_, *weights = p->weights;
    REAL *x = x_;
    for (; at->block < p->blocks && budget > 0; at->block++) {
        const fb_block *own = p->block + at->block;
        const int64_t tail = own->tail, next = at->block ? own[-1].tail : p->nodes;
        if (tail != next && b != x) /* a window begins */
            for (int64_t k = tail * r; k < next * r; k++) x[k] = b[k];
        EACH_WIDTH(NAME(pull_edges), own->edges, p->ends + at->edge, weights + at->edge, r, x + own->head * r,
                   x + tail * r)
        at->edge += own->edges;
        budget -= (own->edges + next - tail) * r;
    }
}

static void NAME(push_planned)(const fb_plan *p, fb_cursor *at, int64_t budget, int64_t r, void *x_)
{
    const REAL *weights = p->weights;
    REAL *x = x_;
    for (; at->block > 0 && budget > 0; at->block--) {
        const fb_block *own = p->block + at->block - 1;
        at->edge -= own->edges;
        EACH_WIDTH(NAME(push_edges), own->edges, p->ends + at->edge, weights + at->edge, r, x + own->tail * r,
                   x + own->head * r)
        budget -= own->edges * r;
    }
}

#undef EACH_WIDTH
