/* Planned sweeps of one dtype and semiring.
 *
 * Before including: REAL, and TIMES(w, x) and PLUS(x, y) of the SEMIRING. Edge e of a block joins the tail
 * `ends[e] & 0xffff` and the head `ends[e] >> 16`; x and b have r columns.
 */

/* to = to + w from, for `width` columns in registers */
INLINE void NAME(add)(const int width, REAL w, const REAL *from, REAL *to)
{
    REAL sum[WIDE];
    for (int c = 0; c < width; c++) sum[c] = PLUS(to[c], TIMES(w, from[c]));
    for (int c = 0; c < width; c++) to[c] = sum[c];
}

INLINE void NAME(add_row)(REAL w, int64_t r, const REAL *from, REAL *to)
{
    int64_t c = 0;
    for (; c + WIDE <= r; c += WIDE) NAME(add)(WIDE, w, from + c, to + c);
    for (; c + 2 <= r; c += 2) NAME(add)(2, w, from + c, to + c);
    if (c < r)
        NAME(add)(1, w, from + c, to + c);
}

/* `count` edges, forwards for pull. Both ends come in one load, and four edges in a round: this loop is bound by
 * the number of its instructions. */
INLINE void NAME(pull_edges)(int64_t count, const uint32_t *ends, const REAL *w, int64_t r, const REAL *head,
                             REAL *tail)
{
    int64_t e = 0;
    if (r == 1) {
        for (; e + 4 <= count; e += 4)
            for (int k = 0; k < 4; k++)
                NAME(add)(1, w[e + k], head + (ends[e + k] >> 16), tail + (ends[e + k] & 0xffff));
        for (; e < count; e++) NAME(add)(1, w[e], head + (ends[e] >> 16), tail + (ends[e] & 0xffff));
    } else
        for (; e < count; e++) NAME(add_row)(w[e], r, head + (ends[e] >> 16) * r, tail + (ends[e] & 0xffff) * r);
}

INLINE void NAME(push_edges)(int64_t count, const uint32_t *ends, const REAL *w, int64_t r, const REAL *tail,
                             REAL *head)
{
    int64_t e = count;
    if (r == 1) {
        for (; e >= 4; e -= 4)
            for (int k = 1; k <= 4; k++)
                NAME(add)(1, w[e - k], tail + (ends[e - k] & 0xffff), head + (ends[e - k] >> 16));
        for (; e-- > 0;) NAME(add)(1, w[e], tail + (ends[e] & 0xffff), head + (ends[e] >> 16));
    } else
        for (; e-- > 0;) NAME(add_row)(w[e], r, tail + (ends[e] & 0xffff) * r, head + (ends[e] >> 16) * r);
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
        NAME(pull_edges)(own->edges, p->ends + at->edge, weights + at->edge, r, x + own->head * r, x + tail * r);
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
        NAME(push_edges)(own->edges, p->ends + at->edge, weights + at->edge, r, x + own->tail * r, x + own->head * r);
        budget -= own->edges * r;
    }
}
