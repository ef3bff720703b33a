/* Structure of graphs with one index type, INDEX: checks, Kahn's algorithm, the rows of a plan. */

static int NAME(check_structure)(int64_t nodes, int64_t edges, const INDEX *indptr, const INDEX *indices)
{
    int up = 1;
    if (indptr[0] != 0 || indptr[nodes] != edges)
        return FB_BAD_INDPTR;
    for (int64_t i = 0; i < nodes; i++)
        if (indptr[i] > indptr[i + 1])
            return FB_BAD_INDPTR;
    for (int64_t i = 0; i < nodes; i++)
        for (int64_t e = indptr[i]; e < indptr[i + 1]; e++) {
            if (indices[e] < 0 || indices[e] >= nodes)
                return FB_BAD_INDEX;
            up &= indices[e] > i;
        }
    return up ? FB_IN_ORDER : FB_ANY_ORDER;
}

static int NAME(kahn_step)(int64_t nodes, int64_t edges, const INDEX *indptr, const INDEX *indices, int64_t budget,
                           fb_kahn *kahn)
{
    INDEX *waiting = kahn->waiting, *order = kahn->order;
    int64_t found = kahn->found, next = kahn->next;
    if (kahn->edge < edges) {
        const int64_t stop = edges - kahn->edge < budget ? edges : kahn->edge + budget;
        for (int64_t e = kahn->edge; e < stop; e++) waiting[indices[e]]++;
        kahn->edge = stop;
        return 1;
    }
    if (kahn->edge == edges) { /* once */
        for (int64_t i = 0; i < nodes; i++)
            if (!waiting[i])
                order[found++] = (INDEX)i;
        kahn->edge++;
    }
    for (; next < found && budget > 0; next++) {
        if (next + 24 < found)
            PREFETCH(indptr + order[next + 24]);
        if (next + 16 < found)
            PREFETCH(indices + indptr[order[next + 16]]);
        if (next + 8 < found) {
            const INDEX soon = order[next + 8];
            for (int64_t e = indptr[soon]; e < indptr[soon + 1]; e++) PREFETCH(waiting + indices[e]);
        }
        const INDEX i = order[next];
        for (int64_t e = indptr[i]; e < indptr[i + 1]; e++) {
            const INDEX j = indices[e];
            /* written in any case and counted if it is ready: no branch to guess. At found = nodes all are ready. */
            order[found] = j;
            found += --waiting[j] == 0;
        }
        budget -= indptr[i + 1] - indptr[i] + 1;
    }
    kahn->found = found;
    kahn->next = next;
    return next < found;
}

/* Windows from the last to the first. The edges to later windows come first, by their heads downwards; those
 * inside the window then go by the level of their tails, so that no edge waits for the one before, and by heads. */
static int NAME(make_plan)(int real, const fb_graph *g, fb_plan *plan)
{
    const int64_t n = g->nodes, size = real == FB_FLOAT32 ? 4 : 8, window = window_of(n);
    const INDEX *indptr = g->indptr, *indices = g->indices, *order = g->order;
    int64_t most = 0, blocks = 0, at = 0, edge = 0; /* most: edges of a window */
    for (int64_t stop = n; stop > 0; stop -= window) {
        int64_t count = 0;
        for (int64_t k = stop > window ? stop - window : 0; k < stop; k++) {
            const int64_t i = order ? order[k] : k;
            count += indptr[i + 1] - indptr[i];
        }
        const int64_t stretches = (n - stop + STRETCH - 1) / STRETCH;
        most = count > most ? count : most;
        blocks += (count < stretches ? count : stretches) + count / MANY + 1;
    }
    const int64_t groups = (n + STRETCH - 1) / STRETCH + window;
    INDEX *position = order ? fb_allocate(n, sizeof(INDEX)) : NULL; /* of a node in the order */
    item *items = fb_allocate(most, sizeof(*items)), *sorted = fb_allocate(most, sizeof(*sorted));
    int64_t *place = fb_allocate(groups > STRETCH ? groups + 1 : STRETCH + 1, sizeof(int64_t));
    int64_t *level = fb_allocate(window, sizeof(int64_t));
    fb_block *block = fb_allocate(blocks, sizeof(*block));
    uint32_t *ends = fb_allocate(g->edges, sizeof(*ends));
    char *weights = fb_allocate(g->edges, size);
    const int failed = !items || !sorted || !place || !level || !block || !ends || !weights || (order && !position);
    if (!failed && order)
        for (int64_t k = 0; k < n; k++) position[order[k]] = (INDEX)k;
    for (int64_t stop = n; !failed && stop > 0; stop -= window) {
        const int64_t start = stop > window ? stop - window : 0, stretches = (n - stop + STRETCH - 1) / STRETCH;
        int64_t count = 0, highest = 0;
        for (int64_t k = stop; k-- > start;) { /* level: the edges of the longest path inside the window */
            const int64_t i = order ? order[k] : k, first = count;
            int64_t own = 0;
            for (int64_t e = indptr[i]; e < indptr[i + 1]; e++, count++) {
                const int64_t j = order ? position[indices[e]] : indices[e];
                const int64_t stretch = (j - stop) / STRETCH, head = j < stop ? j - start : (j - stop) % STRETCH;
                if (j < stop && level[j - start] >= own)
                    own = level[j - start] + 1;
                items[count] = (item){e, j < stop ? -1 : stretches - 1 - stretch,
                                            (uint32_t)(k - start) | (uint32_t)head << 16};
            }
            level[k - start] = own;
            highest = own > highest ? own : highest;
            for (int64_t e = first; e < count; e++)
                if (items[e].group < 0)
                    items[e].group = stretches + own;
        }
        sort_items(0, count, n < STRETCH ? n : STRETCH, items, place, sorted);
        sort_items(1, count, stretches + highest + 1, sorted, place, items);
        int64_t head = -1;
        for (int64_t k = 0; k <= count; k++) {
            const int64_t group = k < count ? items[k].group : stretches;
            const int64_t base = group < stretches ? stop + (stretches - 1 - group) * STRETCH : start;
            if (base != head || (k < count && block[at - 1].edges == MANY))
                block[at++] = (fb_block){start, head = base, 0};
            if (k < count) {
                block[at - 1].edges++;
                ends[edge] = items[k].ends;
                memcpy(weights + edge++ * size, (const char *)g->weights + items[k].edge * size, size);
            }
        }
    }
    fb_release(position);
    fb_release(items);
    fb_release(sorted);
    fb_release(place);
    fb_release(level);
    if (failed) {
        fb_release(block);
        fb_release(ends);
        fb_release(weights);
        return -1;
    }
    *plan = (fb_plan){n, g->edges, at, block, ends, weights};
    return 0;
}

/* one column apart: no inner loop whose length is unknown */
#define ROWS(REAL, target, source)                                                                                  \
    for (int64_t k = 0; r == 1 && k < nodes; k++) {                                                                 \
        const INDEX i = order[k];                                                                                   \
        ((REAL *)out)[target] = ((const REAL *)x)[source];                                                          \
    }                                                                                                               \
    for (int64_t k = 0; r != 1 && k < nodes; k++) {                                                                 \
        const INDEX i = order[k];                                                                                   \
        for (int64_t c = 0; c < r; c++) ((REAL *)out)[(target) * r + c] = ((const REAL *)x)[(source) * r + c];       \
    }

static void NAME(take_rows)(int real, int64_t nodes, int64_t r, const INDEX *order, const void *x, void *out)
{
    if (real == FB_FLOAT32) {
        ROWS(float, k, (int64_t)i)
    } else {
        ROWS(double, k, (int64_t)i)
    }
}

static void NAME(put_rows)(int real, int64_t nodes, int64_t r, const INDEX *order, const void *x, void *out)
{
    if (real == FB_FLOAT32) {
        ROWS(float, (int64_t)i, k)
    } else {
        ROWS(double, (int64_t)i, k)
    }
}

#undef ROWS
