/* Runs a tape. Everything was checked when the plan was made; nothing is checked here. */
#include "tape.h"

#include <string.h>

#include "cluster.h"
#include "functions.h"
#include "loop.h"
#include "pool.h"
#include "recurrence.h"

fb_blas fb_blas_table[FB_DTYPES];
const fb_kernels *fb_kernel_table = fb_kernels_base, *fb_wide_kernel_table = NULL;
const fb_map (*fb_map_table)[FB_FUNCTIONS] = fb_maps_base;
const fb_map (*fb_map_table_of_many)[FB_FUNCTIONS] = fb_maps_base;
const fb_ones *fb_one_table = &fb_ones_base;
const fb_cluster_runner *fb_cluster_table = fb_clusters_base;
const fb_recurrence_runner *fb_recurrence_table = fb_recurrences_base;

static const int64_t itemsize[FB_DTYPES] = {4, 8, 8, 16};

int fb_use_wide_kernels(int on)
{
    int there = 0;
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    there = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    fb_wide_kernel_table = on && there ? fb_kernels_avx512 : NULL;
#else
    (void)on;
#endif
    return there;
}

const char *fb_choose_kernels(void)
{
    fb_fill_tanh_terms();
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        fb_kernel_table = fb_kernels_avx2;
        fb_map_table = fb_map_table_of_many = fb_maps_avx2;
        fb_one_table = &fb_ones_avx2;
        if (fb_use_wide_kernels(1))
            fb_map_table_of_many = fb_maps_avx512;
        fb_cluster_table = fb_clusters_avx2;
        fb_recurrence_table = fb_recurrences_avx2;
        return "avx2";
    }
#endif
    return "baseline";
}

int fb_blas_width(void)
{
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512f"))
        return 0;
    /* Zen 4 takes them in halves; Zen 5, which does not, is known by this */
    return __builtin_cpu_is("amd") && !__builtin_cpu_supports("avx512vp2intersect") ? 1 : 2;
#else
    return 0;
#endif
}

/* Scalars for BLAS, in the dtype of the instruction. */
typedef union { float f[2]; double d[2]; } scalar;

static scalar as_scalar(int dtype, double x)
{
    scalar s = {.d = {0, 0}};
    if (dtype == FB_F32 || dtype == FB_C64)
        s.f[0] = (float)x;
    else
        s.d[0] = x;
    return s;
}

static int conjugated(const fb_instruction *t, int flag) { return t->dtype >= FB_C64 && (t->flags & flag); }

/* Can BLAS read the (rows, columns) matrix as lines of unit stride, `ld` apart? Strides of axes of length 1
 * are never used. */
static int has_unit_lines(int64_t ld, int64_t unit, int64_t lines, int64_t length)
{
    return (unit == 1 || length == 1) && (ld >= length || lines == 1);
}

static int leading(int64_t stride, int64_t least) { return (int)(stride < least ? least : stride > 0 ? stride : 1); }

/* BLAS sees row-major matrices as the transposes of column-major ones, so C = A B is computed as
 * C' = B' A'. An operand whose rows are contiguous is then 'N', one whose columns are 'T' (or 'C').
 * A column-major C is the same problem with the roles of A and B exchanged. */
static void gemm(const fb_instruction *t, fb_view a, fb_view b, fb_view c)
{
    int64_t m = t->m, n = t->n, k = t->k;
    int conj_a = conjugated(t, FB_CONJ_A), conj_b = conjugated(t, FB_CONJ_B);
    if (!has_unit_lines(c.rs, c.cs, m, n)) {
        const fb_view old_a = a;
        const int64_t old_m = m;
        const int old_conj = conj_a;
        a = (fb_view){b.cs, b.rs, b.p};
        b = (fb_view){old_a.cs, old_a.rs, old_a.p};
        c = (fb_view){c.cs, c.rs, c.p};
        m = n;
        n = old_m;
        conj_a = conj_b;
        conj_b = old_conj;
    }
    const int a_is_n = !conj_a && has_unit_lines(a.rs, a.cs, m, k);
    const int b_is_n = !conj_b && has_unit_lines(b.rs, b.cs, k, n);
    char ta = a_is_n ? 'N' : conj_a ? 'C' : 'T', tb = b_is_n ? 'N' : conj_b ? 'C' : 'T';
    int lda = a_is_n ? leading(a.rs, k) : leading(a.cs, m);
    int ldb = b_is_n ? leading(b.rs, n) : leading(b.cs, k);
    int ldc = leading(c.rs, n), rows = (int)n, columns = (int)m, depth = (int)k;
    scalar alpha = as_scalar(t->dtype, t->alpha), beta = as_scalar(t->dtype, t->beta);
    fb_blas_table[t->dtype].gemm(&tb, &ta, &rows, &columns, &depth, &alpha, b.p, &ldb, a.p, &lda, &beta, c.p,
                                 &ldc);
}

/* y = alpha A x + beta y, A not conjugated. */
static void gemv(const fb_instruction *t, fb_view a, fb_view x, fb_view y)
{
    const int a_is_rows = has_unit_lines(a.rs, a.cs, t->m, t->k);
    char trans = a_is_rows ? 'T' : 'N';
    int rows = (int)(a_is_rows ? t->k : t->m), columns = (int)(a_is_rows ? t->m : t->k);
    int lda = leading(a_is_rows ? a.rs : a.cs, rows), incx = leading(x.rs, 1), incy = leading(y.rs, 1);
    scalar alpha = as_scalar(t->dtype, t->alpha), beta = as_scalar(t->dtype, t->beta);
    fb_blas_table[t->dtype].gemv(&trans, &rows, &columns, &alpha, a.p, &lda, x.p, &incx, &beta, y.p, &incy);
}

static int is_zero(int dtype, const char *p) { return dtype == FB_F32 ? *(const float *)p == 0 : *(const double *)p == 0; }

/* c = its factor, 0 in the other triangle; 0 if it is not positive definite. BLAS sees the transpose of c: its lower
 * triangle is the upper one there. */
static int cholesky(const fb_instruction *t, fb_view c, int64_t size)
{
    const int64_t n = t->n;
    char uplo = t->flags & FB_UPPER ? 'L' : 'U';
    int order = (int)n, ldc = leading(c.rs, n), info = 0;
    fb_blas_table[t->dtype].potrf(&uplo, &order, c.p, &ldc, &info);
    for (int64_t i = 0; i < n; i++) {
        char *const row = c.p + i * c.rs * size;
        if (t->flags & FB_UPPER)
            memset(row, 0, (size_t)(i * size));
        else
            memset(row + (i + 1) * size, 0, (size_t)((n - i - 1) * size));
    }
    return info == 0;
}

/* c = op(a)^-1 c; 0 if a diagonal element is. BLAS sees C' = C' op(a)'^-1, or a vector as it is. */
static int triangular(const fb_instruction *t, fb_view a, fb_view c, int64_t size)
{
    const int64_t m = t->m, n = t->n;
    const int a_is_rows = has_unit_lines(a.rs, a.cs, m, m), upper = (t->flags & FB_UPPER) != 0;
    const int transposed = (t->flags & FB_TRANSPOSED) != 0, is_vector = n == 1;
    for (int64_t i = 0; i < m && !(t->flags & FB_UNIT); i++)
        if (is_zero(t->dtype, a.p + i * (a.rs + a.cs) * size))
            return 0;
    char side = is_vector ? 'L' : 'R', uplo = upper != a_is_rows ? 'U' : 'L', diag = t->flags & FB_UNIT ? 'U' : 'N';
    char trans = (transposed != a_is_rows) != !is_vector ? 'T' : 'N';
    int rows = (int)(is_vector ? m : n), columns = (int)(is_vector ? 1 : m);
    int lda = leading(a_is_rows ? a.rs : a.cs, m), ldc = is_vector ? rows : leading(c.rs, n);
    scalar one = as_scalar(t->dtype, 1);
    fb_blas_table[t->dtype].trsm(&side, &uplo, &trans, &diag, &rows, &columns, &one, a.p, &lda, c.p, &ldc);
    return 1;
}

/* Rows of c = a'^-1 of them by P a' = L U, which LAPACK sees; 0 if a pivot is. */
static int solve(const fb_instruction *t, fb_view a, fb_view c, fb_view d)
{
    char trans = 'N';
    int order = (int)t->m, count = (int)t->n, ld = leading(t->m, 1), info = 0;
    fb_blas_table[t->dtype].getrf(&order, &order, a.p, &ld, (int *)d.p, &info);
    if (info != 0)
        return 0;
    fb_blas_table[t->dtype].getrs(&trans, &order, &count, a.p, &ld, (int *)d.p, c.p, &ld, &info);
    return 1;
}

static fb_view matrix(const fb_operand *o, char *const *slots, int64_t size, int64_t i)
{
    return (fb_view){o->rs, o->cs, slots[o->slot] + (o->offset + i * o->bs) * size};
}

static char *at_place(fb_place place, char **slots) { return slots[place.slot] + place.offset; }

static void set_pointers(const fb_body *body, fb_entry e, char **slots)
{
    const int64_t numbers[4] = {e.step, e.step & 1, e.source, e.target};
    for (int64_t i = 0; i < body->n_moves; i++) {
        const fb_move *m = body->moves + i;
        if (e.step == 0 && m->first.slot >= 0)
            slots[m->slot] = at_place(m->first, slots);
        else if (e.step == body->length - 1 && m->last.slot >= 0)
            slots[m->slot] = at_place(m->last, slots);
        else
            slots[m->slot] = at_place(m->base, slots) + m->step * numbers[m->by];
    }
    for (int64_t i = 0; i < body->n_named; i++)
        slots[body->first + i] = slots[body->names[e.step * body->n_named + i]];
}

static fb_entry entry_of(const fb_loop *loop, int64_t i)
{
    return loop->entries ? loop->entries[i] : (fb_entry){0, (int32_t)i, 0, 0};
}

/* Runs a loop to its end, or returns 0 with its place in the slots `state`: then it goes on there the next time. */
static int run_loop(const fb_loop *loop, char **slots, double *budget)
{
    int64_t *state = (int64_t *)(slots + loop->state);
    int64_t i = state[0], at = state[1] - 1;
    const int64_t n = loop->entries ? loop->n_entries : loop->bodies[0].length;
    if (at < 0) {
        if (loop->flag.slot >= 0 && (*at_place(loop->flag, slots) != 0) != loop->wanted)
            return 1;
        i = at = 0;
    }
    for (; i < n; i++, at = 0) {
        const fb_entry e = entry_of(loop, i);
        const fb_body *body = loop->bodies + e.body;
        set_pointers(body, e, slots);
        at = fb_run(body->code, at, body->count, slots, budget);
        if (at < body->count || *budget < 0) {
            const int is_over = at == body->count;
            if (is_over && i == n - 1)
                break;
            state[0] = i + is_over;
            state[1] = is_over ? 1 : at + 1;
            return 0;
        }
    }
    state[0] = state[1] = 0;
    return 1;
}

const fb_instruction *fb_take_call(const fb_instruction *code, int64_t *at, int64_t count, char **slots, int failed)
{
    if (*at >= count)
        return NULL;
    const fb_instruction *t = code + *at;
    if (t->opcode == FB_CALL || (failed && t->opcode != FB_LOOP)) { /* NumPy does it, and says what is wrong */
        ++*at;
        return t;
    }
    if (t->opcode != FB_LOOP)
        return NULL;
    const fb_loop *loop = t->detail;
    int64_t *state = (int64_t *)(slots + loop->state);
    if (state[1] == 0)
        return NULL;
    const fb_entry e = entry_of(loop, state[0]);
    const fb_body *body = loop->bodies + e.body;
    int64_t inside = state[1] - 1;
    set_pointers(body, e, slots); /* of a step that had not begun */
    const fb_instruction *call = fb_take_call(body->code, &inside, body->count, slots, failed);
    state[1] = inside + 1;
    return call;
}

/* Whether lines of c need half as many vectors of 64 bytes as of 32, or about that. */
static int fills_wide_vectors(const fb_instruction *t)
{
    const int64_t lanes = 64 / itemsize[t->dtype], length = t->c.cs == 1 && t->n > 1 ? t->n : t->c.rs == 1 ? t->m : 0;
    const int64_t left = length % lanes;
    return fb_wide_kernel_table && t->dtype < FB_C64 && t->m > 1 && t->n > 1 && length >= lanes &&
           (left == 0 || 2 * left > lanes || length > 16 * lanes);
}

void fb_prepare(fb_instruction *t)
{
    if (t->opcode != FB_PRODUCT)
        return;
    const fb_kernels *kernels = (fills_wide_vectors(t) ? fb_wide_kernel_table : fb_kernel_table) + t->dtype;
    t->tile = kernels->tile_for(t);
    t->product = kernels->product;
}

/* The instructions from t on that are joined; see FB_JOINED. */
static void run_joined(const fb_instruction *t, char *const *slots, double *budget)
{
    const fb_instruction *const end = t + FB_JOINED(t) + 1;
    const int64_t size = itemsize[t->dtype];
    fb_layer layer = {0};
#define PLACE(t, operand) (slots[(t)->operand.slot] + (t)->operand.offset * size)
#define REGISTER(i) (slots[cluster->registers[i].slot] + cluster->registers[i].offset)
    if (t->opcode == FB_CLUSTER) {
        const fb_cluster *cluster = t->detail;
        const fb_micro *op = cluster->ops;
        layer.e = REGISTER(op->e);
        layer.f = REGISTER(op->c);
        layer.g = REGISTER(op->a);
        layer.h = REGISTER(op->b);
        *budget -= t->cost;
        t++;
    }
    layer.m = t->m;
    layer.n = t->n;
    layer.crs = t->c.rs;
    layer.d = PLACE(t, a);
    layer.x = PLACE(t, b);
    layer.c = PLACE(t, c);
    *budget -= t->cost;
    if (++t < end) {
        layer.ars = t->a.cs;
        layer.a = PLACE(t, a);
        layer.y = PLACE(t, c);
        *budget -= t->cost;
    }
#undef PLACE
#undef REGISTER
    fb_kernel_table[(end - 1)->dtype].layer(&layer);
}

int64_t fb_run(const fb_instruction *code, int64_t start, int64_t count, char **slots, double *budget)
{
    for (int64_t at = start; at < count; at++) {
        const fb_instruction *t = code + at;
        if (FB_JOINED(t)) {
            run_joined(t, slots, budget);
            at += FB_JOINED(t);
            if (*budget < 0)
                return at + 1;
            continue;
        }
        if (t->opcode == FB_CLUSTER || t->opcode == FB_RECURRENCE) {
            if (t->opcode == FB_CLUSTER)
                fb_cluster_table[t->dtype]((const fb_cluster *)t->detail, slots);
            else
                fb_recurrence_table[t->dtype]((const fb_recurrence *)t->detail, slots);
            *budget -= t->cost;
            if (*budget < 0)
                return at + 1;
            continue;
        }
        if (t->opcode == FB_CALL)
            return at;
        if (t->opcode == FB_LOOP) {
            if (!run_loop((const fb_loop *)t->detail, slots, budget))
                return at;
            if (*budget < 0)
                return at + 1;
            continue;
        }
        if (t->opcode == FB_PARALLEL) {
            fb_run_parallel(t + 1, t->m, slots);
            for (int64_t i = 1; i <= t->m; i++) *budget -= t[i].cost;
            at += t->m;
            if (*budget < 0)
                return at + 1;
            continue;
        }
        const fb_kernels *kernels = fb_kernel_table + t->dtype;
        const int64_t size = itemsize[t->dtype];
        int done = 1;
/* made where it is passed: a copy would wait for its own stores */
#define VIEW(operand) matrix(&t->operand, slots, size, i)
#define PLACE(operand) (slots[t->operand.slot] + (t->operand.offset + i * t->operand.bs) * size)
        if (t->tile)
            for (int64_t i = 0; i < t->batch; i++) t->tile(t, PLACE(a), PLACE(b), PLACE(c), PLACE(d));
        for (int64_t i = 0; i < t->batch && done && !t->tile; i++)
            switch (t->opcode) {
            case FB_COPY: kernels->copy(t->m, t->n, VIEW(a), VIEW(c), t->flags); break;
            case FB_AXPBY: kernels->axpby(t->m, t->n, t->alpha, VIEW(a), t->beta, VIEW(b), VIEW(c), t->flags); break;
            case FB_MUL: kernels->mul(t->m, t->n, VIEW(a), VIEW(b), VIEW(c), t->flags); break;
            case FB_DIV: kernels->div(t->m, t->n, VIEW(a), VIEW(b), VIEW(c), t->flags); break;
            case FB_GEMM: gemm(t, VIEW(a), VIEW(b), VIEW(c)); break;
            case FB_GEMV: gemv(t, VIEW(a), VIEW(b), VIEW(c)); break;
            case FB_PRODUCT: {
                const fb_product p = {t->m,    t->n,    t->k,    t->alpha, t->beta,
                                      VIEW(a), VIEW(b), VIEW(c), VIEW(d),  t->flags};
                t->product(&p);
                break;
            }
            case FB_INNER: kernels->inner(t->m, t->n, VIEW(a), VIEW(b), VIEW(c), t->flags); break;
            case FB_FILL: kernels->fill(t->m, t->n, VIEW(c)); break;
            case FB_CHOLESKY: done = cholesky(t, VIEW(c), size); break;
            case FB_TRIANGULAR: done = triangular(t, VIEW(a), VIEW(c), size); break;
            case FB_SOLVE: done = solve(t, VIEW(a), VIEW(c), VIEW(d)); break;
            default: break;
            }
#undef VIEW
#undef PLACE
        if (!done) {
            *budget = FB_FAILED;
            return at;
        }
        if (t->then >= 0) {
            char *const c = slots[t->c.slot] + t->c.offset * size;
            fb_run_map(t->dtype, t->then, t->batch * t->m * t->n, c, c);
        }
        *budget -= t->cost;
        if (*budget < 0)
            return at + 1;
    }
    return count;
}
