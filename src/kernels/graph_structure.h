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

/* Rows sorted by window of the order, level inside the window, and degree: b and x are then read almost in
 * order, and a window's few levels give long runs. Every second level has its degrees downwards, so that two
 * levels meet in one run. */
static int NAME(make_plan)(int real, const fb_graph *g, fb_plan *plan)
{
    const int64_t n = g->nodes, size = real == FB_FLOAT32 ? 4 : 8;
    const INDEX *indptr = g->indptr, *indices = g->indices, *order = g->order;
    INDEX *node = fb_allocate(n, sizeof(INDEX)), *head = fb_allocate(g->edges, sizeof(INDEX));
    INDEX *position = order ? fb_allocate(n, sizeof(INDEX)) : NULL; /* of a node in the order */
    char *weights = fb_allocate(g->edges, size);
    fb_run *run = NULL;
    int64_t row = 0, edge = 0, runs = 0;
    int16_t level[WINDOW], code[WINDOW];
    int64_t place[WINDOW + 1];
    INDEX sorted[WINDOW];
    if (!node || !head || !weights || (order && !position))
        goto no_memory;
    if (order)
        for (int64_t k = 0; k < n; k++) position[order[k]] = (INDEX)k;
    for (int64_t stop = n; stop > 0;) {
        const int64_t start = stop > WINDOW ? stop - WINDOW : 0, count = stop - start;
        int16_t highest = 0;
        for (int64_t k = count; k-- > 0;) { /* the edges of the longest path inside the window */
            const int64_t i = order ? order[start + k] : start + k, degree = indptr[i + 1] - indptr[i];
            int16_t own = 0;
            for (int64_t e = indptr[i]; e < indptr[i + 1]; e++) {
                const int64_t p = order ? position[indices[e]] : indices[e];
                if (p < stop && level[p - start] >= own)
                    own = (int16_t)(level[p - start] + 1);
            }
            level[k] = own;
            highest = own > highest ? own : highest;
            code[k] = (int16_t)(degree > MANY ? MANY : degree);
            if (own & 1)
                code[k] = (int16_t)(MANY - code[k]);
        }
        /* two stable counting sorts: by code, then by level */
        memset(place, 0, sizeof(place));
        for (int64_t k = 0; k < count; k++) place[code[k] + 1]++;
        for (int64_t c = 0; c < MANY; c++) place[c + 1] += place[c];
        for (int64_t k = 0; k < count; k++) sorted[place[code[k]]++] = (INDEX)k;
        memset(place, 0, sizeof(place));
        for (int64_t k = 0; k < count; k++) place[level[k] + 1]++;
        for (int64_t c = 0; c < highest; c++) place[c + 1] += place[c];
        for (int64_t k = 0; k < count; k++) node[row + place[level[sorted[k]]]++] = (INDEX)(start + sorted[k]);
        for (int64_t k = 0; k < count; k++, row++) {
            const int64_t i = order ? order[node[row]] : node[row], degree = indptr[i + 1] - indptr[i];
            if (row == 0 || k == 0 || degree != run[runs - 1].degree) {
                if ((runs & (runs - 1)) == 0) { /* full at every power of two */
                    fb_run *longer = fb_allocate(runs ? 2 * runs : 1, sizeof(fb_run));
                    if (!longer)
                        goto no_memory;
                    if (run)
                        memcpy(longer, run, runs * sizeof(fb_run));
                    fb_release(run);
                    run = longer;
                }
                run[runs++] = (fb_run){0, degree};
            }
            run[runs - 1].count++;
            for (int64_t e = indptr[i]; e < indptr[i + 1]; e++, edge++)
                head[edge] = order ? position[indices[e]] : indices[e];
            memcpy(weights + (edge - degree) * size, (const char *)g->weights + indptr[i] * size, degree * size);
        }
        stop = start;
    }
    fb_release(position);
    *plan = (fb_plan){n, g->edges, runs, run, node, head, weights};
    return 0;
no_memory:
    fb_release(node);
    fb_release(head);
    fb_release(position);
    fb_release(weights);
    fb_release(run);
    return -1;
}

#define ROWS(REAL, target, source)                                                                                  \
    for (int64_t k = 0; k < nodes; k++) {                                                                           \
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
