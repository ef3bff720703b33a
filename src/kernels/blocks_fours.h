/* Sweeps for one column and blocks of any size, whose rows or columns are contiguous: four rows at a time, in vectors.
 *
 * Vectors of m rows stand in buffers of whole fours; behind row m they hold zeros. Buffers are written and read in the
 * same fours, since what was stored in other pieces would be waited for. The last `rest` rows, m % 4, are compiled in.
 */
typedef REAL NAME(four) __attribute__((vector_size(4 * sizeof(REAL))));
typedef REAL NAME(loose) __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#define FOUR NAME(four)
#define SHUFFLE __builtin_shufflevector

/* g elements and zeros behind them */
INLINE FOUR NAME(load)(const int g, const REAL *p, int64_t stride)
{
    if (g == 4 && stride == 1)
        return *(const NAME(loose) *)p;
    switch (g) {
    case 4: return (FOUR){p[0], p[stride], p[2 * stride], p[3 * stride]};
    case 3: return (FOUR){p[0], p[stride], p[2 * stride], 0};
    case 2: return (FOUR){p[0], p[stride], 0, 0};
    default: return (FOUR){p[0], 0, 0, 0};
    }
}

/* the first g lanes, and zeros: products of zeros with infinity do not stay behind row m */
INLINE FOUR NAME(kept)(const int g, FOUR x)
{
    const FOUR zero = {0};
    return g == 1 ? SHUFFLE(x, zero, 0, 5, 6, 7) : g == 2 ? SHUFFLE(x, zero, 0, 1, 6, 7)
         : g == 3 ? SHUFFLE(x, zero, 0, 1, 2, 7) : x;
}

INLINE void NAME(store)(const int g, FOUR x, REAL *p, int64_t stride)
{
    if (g == 4 && stride == 1) {
        *(NAME(loose) *)p = x;
        return;
    }
    p[0] = x[0];
    if (g > 1)
        p[stride] = x[1];
    if (g > 2)
        p[2 * stride] = x[2];
    if (g > 3)
        p[3 * stride] = x[3];
}

/* the columns of a square whose rows are given, and the other way round */
INLINE void NAME(transpose)(FOUR *x)
{
#define LOW(a, b) (sizeof(REAL) == 8 ? SHUFFLE(a, b, 0, 4, 2, 6) : SHUFFLE(a, b, 0, 4, 1, 5))
#define HIGH(a, b) (sizeof(REAL) == 8 ? SHUFFLE(a, b, 1, 5, 3, 7) : SHUFFLE(a, b, 2, 6, 3, 7))
    const FOUR low01 = LOW(x[0], x[1]), high01 = HIGH(x[0], x[1]), low23 = LOW(x[2], x[3]), high23 = HIGH(x[2], x[3]);
    x[0] = SHUFFLE(low01, low23, 0, 1, 4, 5);
    x[sizeof(REAL) == 8 ? 2 : 1] = SHUFFLE(low01, low23, 2, 3, 6, 7);
    x[sizeof(REAL) == 8 ? 1 : 2] = SHUFFLE(high01, high23, 0, 1, 4, 5);
    x[3] = SHUFFLE(high01, high23, 2, 3, 6, 7);
#undef LOW
#undef HIGH
}

/* {sum of a, sum of b, sum of c, sum of d} */
INLINE FOUR NAME(sums)(FOUR a, FOUR b, FOUR c, FOUR d)
{
    a = SHUFFLE(a, b, 0, 4, 2, 6) + SHUFFLE(a, b, 1, 5, 3, 7);
    c = SHUFFLE(c, d, 0, 4, 2, 6) + SHUFFLE(c, d, 1, 5, 3, 7);
    return SHUFFLE(a, c, 0, 1, 4, 5) + SHUFFLE(a, c, 2, 3, 6, 7);
}

/* A x for g rows that are contiguous; the groups of columns that are known first come first */
INLINE FOUR NAME(rows)(const int g, const int rest, const int upper, int64_t fours, const REAL *a, int64_t rs,
                       const FOUR *x)
{
    FOUR sum[4] = {{0}, {0}, {0}, {0}};
#define TAIL                                                                                                           \
    if (rest) {                                                                                                        \
        UNROLL                                                                                                         \
        for (int i = 0; i < g; i++) sum[i] += NAME(load)(rest, a + i * rs + 4 * fours, 1) * x[fours];                  \
    }
    if (upper)
        TAIL
    const int64_t step = upper ? -1 : 1, first = upper ? fours - 1 : 0;
    const REAL *p = a + 4 * first;
    const FOUR *y = x + first;
    for (int64_t j = 0; j < fours; j++, p += 4 * step, y += step) {
        UNROLL
        for (int i = 0; i < g; i++) sum[i] += *(const NAME(loose) *)(p + i * rs) * *y;
    }
    if (!upper)
        TAIL
#undef TAIL
    return NAME(sums)(sum[0], sum[1], sum[2], sum[3]);
}

/* y = b - A x, or A x where there is no b; x, y in fours */
INLINE void NAME(product_by_rows)(const int rest, const int upper, int64_t m, const REAL *a, int64_t rs, const FOUR *x,
                                  const REAL *b, int64_t bs, FOUR *y)
{
    const int64_t fours = m / 4;
    for (int64_t i = 0; i < fours; i++, a += 4 * rs) {
        OWN_CODE(a);
        const FOUR sum = NAME(rows)(4, rest, upper, fours, a, rs, x);
        y[i] = b ? NAME(load)(4, b + 4 * i * bs, bs) - sum : sum;
    }
    if (rest) {
        const FOUR sum = NAME(rows)(rest, rest, upper, fours, a, rs, x);
        y[fours] = b ? NAME(load)(rest, b + 4 * fours * bs, bs) - sum : sum;
    }
}

/* the same for `count` fours of rows, the last one `g` rows, whose columns are contiguous */
INLINE void NAME(columns)(const int count, const int g, const int upper, int64_t m, const REAL *a, int64_t cs,
                          const REAL *x, const REAL *b, int64_t bs, FOUR *y)
{
    FOUR sum[4], odd[4];
    UNROLL
    for (int i = 0; i < count; i++) sum[i] = odd[i] = (FOUR){0};
    const int64_t step = upper ? -1 : 1, first = upper ? m - 1 : 0;
    a += first * cs;
    x += first;
    cs *= step;
    int64_t j = 0;
    for (; j + 2 <= m; j += 2, a += 2 * cs, x += 2 * step) {
        const REAL even = x[0], next = x[step];
        UNROLL
        for (int i = 0; i < count; i++) {
            sum[i] += NAME(load)(i < count - 1 ? 4 : g, a + 4 * i, 1) * even;
            odd[i] += NAME(load)(i < count - 1 ? 4 : g, a + cs + 4 * i, 1) * next;
        }
    }
    if (j < m) {
        UNROLL
        for (int i = 0; i < count; i++) sum[i] += NAME(load)(i < count - 1 ? 4 : g, a + 4 * i, 1) * *x;
    }
    UNROLL
    for (int i = 0; i < count; i++) {
        sum[i] = NAME(kept)(i < count - 1 ? 4 : g, sum[i] + odd[i]);
        y[i] = b ? NAME(load)(i < count - 1 ? 4 : g, b + 4 * i * bs, bs) - sum[i] : sum[i];
    }
}

INLINE void NAME(product_by_columns)(const int rest, const int upper, int64_t m, const REAL *a, int64_t cs,
                                     const FOUR *x, const REAL *b, int64_t bs, FOUR *y)
{
    const int64_t left = m % 16; /* 16 rows at a time, and the others */
    int64_t i = 0;
    for (; i + 16 <= m; i += 16)
        NAME(columns)(4, 4, upper, m, a + i, cs, (const REAL *)x, b ? b + i * bs : b, bs, y + i / 4);
#define COLUMNS_OF(count)                                                                                              \
    case count:                                                                                                        \
        NAME(columns)(count, rest ? rest : 4, upper, m, a + i, cs, (const REAL *)x, b ? b + i * bs : b, bs, y + i / 4); \
        break;
    switch ((left + 3) / 4) {
        COLUMNS_OF(1) COLUMNS_OF(2) COLUMNS_OF(3) COLUMNS_OF(4)
    default:;
    }
#undef COLUMNS_OF
}

/* What is known of the group of rows that was solved last: x = u / pivot, and u and 1 / pivot in all lanes */
typedef struct {
    FOUR u[4], inverse[4];
} NAME(solved);

/* The rows first to first + g of s become x, when `known` fours of columns stand on the other side of the `near` rows
 * that were solved last; 1 if the diagonal has a zero */
INLINE int NAME(group)(const int g, const int near, const int upper, const int by_columns, const int rest,
                       const int kind, int64_t first, int64_t known, const REAL *a, int64_t ld, FOUR *s,
                       NAME(solved) *last)
{
    const int64_t rs = by_columns ? 1 : ld, cs = by_columns ? ld : 1, own = first / 4;
    const REAL *corner = a + first * (ld + 1);
    FOUR sum = s[own], square[4], pivots, inverses;
    int zero = 0;
    OWN_CODE(corner);
    const REAL *row = corner - first * cs;
    if (known > 0) {
        const int64_t from = upper ? own + 2 : 0; /* in fours */
        const int ragged = upper && rest;         /* the last of them is `rest` columns */
        if (by_columns) {
            const REAL *p = row + 4 * from * cs, *x = (const REAL *)(s + from);
            FOUR even = {0}, odd = {0};
            for (int64_t j = 0; j < known - ragged; j++, p += 4 * cs, x += 4) {
                even += NAME(load)(g, p, 1) * x[0];
                odd += NAME(load)(g, p + cs, 1) * x[1];
                even += NAME(load)(g, p + 2 * cs, 1) * x[2];
                odd += NAME(load)(g, p + 3 * cs, 1) * x[3];
            }
            if (ragged) {
                UNROLL
                for (int c = 0; c < rest; c++) even += NAME(load)(g, p + c * cs, 1) * x[c];
            }
            sum -= even + odd;
        } else
            sum -= NAME(rows)(g, ragged ? rest : 0, 0, known - ragged, row + 4 * from, rs, s + from);
    }
    if (near) {
        const REAL *beside = corner + (upper ? 4 : -4) * cs;
        if (by_columns || g < 4 || near < 4) {
            UNROLL
            for (int c = 0; c < near; c++) square[c] = NAME(load)(g, beside + c * cs, rs);
        } else {
            UNROLL
            for (int i = 0; i < 4; i++) square[i] = NAME(load)(4, beside + i * rs, 1);
            NAME(transpose)(square);
        }
        UNROLL
        for (int cc = 0; cc < near; cc++) {
            const int c = upper ? near - 1 - cc : cc;
            if (kind != IS_UNIT)
                square[c] *= last->inverse[c]; /* off the chain of what waits for what */
            sum -= square[c] * last->u[c];
        }
    }
    if (kind != IS_UNIT) {
        pivots = NAME(load)(g, corner, ld + 1);
        inverses = pivots;
        if (kind == DIVIDED) {
            if (g < 4)
                pivots += (FOUR){0, g < 2, g < 3, g < 4};
            inverses = 1 / pivots;
            FOUR check = inverses - inverses;
            if (!(check[0] + check[1] + check[2] + check[3] == 0)) { /* a pivot is 0 or almost, or NaN */
                REAL x[4];
                NAME(store)(4, sum, x, 1);
                zero = PASTE(one_corner, DTYPE)(g, upper, DIVIDED, corner, rs, cs, 1, x);
                s[own] = sum = NAME(load)(g, x, 1);
                UNROLL
                for (int c = 0; c < g; c++) {
                    last->u[c] = sum[c] - (FOUR){0};
                    last->inverse[c] = 1 - (FOUR){0};
                }
                return zero;
            }
        }
    }
    REAL u[4] = {sum[0], sum[1], sum[2], sum[3]};
    UNROLL
    for (int kk = 0; kk < g; kk++) {
        const int k = upper ? g - 1 - kk : kk;
        UNROLL
        for (int i = 0; i < g; i++)
            if (upper ? i < k : i > k)
                u[i] -= (kind != IS_UNIT ? corner[i * rs + k * cs] * inverses[k] : corner[i * rs + k * cs]) * u[k];
    }
    UNROLL
    for (int c = 0; c < g; c++) {
        last->u[c] = u[c] - (FOUR){0};
        if (kind != IS_UNIT)
            last->inverse[c] = inverses[c] - (FOUR){0};
    }
    sum = NAME(kept)(g, (FOUR){u[0], u[1], u[2], u[3]});
    s[own] = kind != IS_UNIT ? sum * inverses : sum;
    return zero;
}

/* s becomes T^-1 s */
INLINE int NAME(triangle)(const int rest, const int upper, const int by_columns, const int kind, int64_t m,
                          const REAL *a, int64_t ld, FOUR *s)
{
    NAME(solved) last = {{{0}}, {{0}}};
    const int64_t fours = m / 4;
    int zero = 0;
    if (upper) {
        if (rest)
            zero |= NAME(group)(rest, 0, 1, by_columns, rest, kind, 4 * fours, 0, a, ld, s, &last);
        for (int64_t i = fours - 1, known = rest ? 0 : -1; i >= 0; i--, known++)
            zero |= i == fours - 1 ? NAME(group)(4, rest, 1, by_columns, rest, kind, 4 * i, 0, a, ld, s, &last)
                                   : NAME(group)(4, 4, 1, by_columns, rest, kind, 4 * i, known, a, ld, s, &last);
        return zero;
    }
    zero |= NAME(group)(4, 0, 0, by_columns, rest, kind, 0, 0, a, ld, s, &last);
    for (int64_t i = 1; i < fours; i++)
        zero |= NAME(group)(4, 4, 0, by_columns, rest, kind, 4 * i, i - 1, a, ld, s, &last);
    if (rest)
        zero |= NAME(group)(rest, 4, 0, by_columns, rest, kind, 4 * fours, fours - 1, a, ld, s, &last);
    return zero;
}

/* The products and triangles for what rest, order and kind there are. */

typedef void (*NAME(product))(int upper, int64_t m, const REAL *a, int64_t ld, const FOUR *x, const REAL *b, int64_t bs,
                              FOUR *y);
typedef int (*NAME(solver))(int64_t m, const REAL *a, int64_t ld, FOUR *s);

#define PRODUCT(rest)                                                                                                  \
    static void NAME(product_##rest##_0)(int upper, int64_t m, const REAL *a, int64_t ld, const FOUR *x, const REAL *b, \
                                         int64_t bs, FOUR *y)                                                          \
    {                                                                                                                  \
        NAME(product_by_rows)(rest, upper, m, a, ld, x, b, bs, y);                                                     \
    }                                                                                                                  \
    static void NAME(product_##rest##_1)(int upper, int64_t m, const REAL *a, int64_t ld, const FOUR *x, const REAL *b, \
                                         int64_t bs, FOUR *y)                                                          \
    {                                                                                                                  \
        NAME(product_by_columns)(rest, upper, m, a, ld, x, b, bs, y);                                                  \
    }
#define TRIANGLE(rest, upper, by_columns, kind)                                                                        \
    static int NAME(triangle_##rest##_##upper##_##by_columns##_##kind)(int64_t m, const REAL *a, int64_t ld, FOUR *s)  \
    {                                                                                                                  \
        return NAME(triangle)(rest, upper, by_columns, kind, m, a, ld, s);                                             \
    }
#define KINDS(rest, upper, by_columns)                                                                                 \
    TRIANGLE(rest, upper, by_columns, IS_UNIT)                                                                         \
    TRIANGLE(rest, upper, by_columns, DIVIDED)                                                                         \
    TRIANGLE(rest, upper, by_columns, RECIPROCALS)
#define REST(rest) PRODUCT(rest) KINDS(rest, 0, 0) KINDS(rest, 0, 1) KINDS(rest, 1, 0) KINDS(rest, 1, 1)
REST(0) REST(1) REST(2) REST(3)
#undef REST
#undef KINDS
#undef TRIANGLE
#undef PRODUCT

static const NAME(product) NAME(products)[4][2] = {
    {NAME(product_0_0), NAME(product_0_1)}, {NAME(product_1_0), NAME(product_1_1)},
    {NAME(product_2_0), NAME(product_2_1)}, {NAME(product_3_0), NAME(product_3_1)},
};
#define KINDS(rest, upper, by_columns)                                                                                 \
    {NAME(triangle_##rest##_##upper##_##by_columns##_IS_UNIT), NAME(triangle_##rest##_##upper##_##by_columns##_DIVIDED), \
     NAME(triangle_##rest##_##upper##_##by_columns##_RECIPROCALS)}
#define REST(rest) {{KINDS(rest, 0, 0), KINDS(rest, 0, 1)}, {KINDS(rest, 1, 0), KINDS(rest, 1, 1)}}
static const NAME(solver) NAME(solvers)[4][2][2][3] = {REST(0), REST(1), REST(2), REST(3)};
#undef REST
#undef KINDS

/* y = P s, where row i of s was exchanged with row pivots[i], or its inverse */
static void NAME(permute)(const int inverse, int64_t m, const int32_t *pivots, const FOUR *s, FOUR *y)
{
    const REAL *from = (const REAL *)s;
    int32_t order[MOST_FOURS + 3];
    for (int64_t i = 0; i < m; i++) order[i] = (int32_t)i;
    for (int64_t i = m; i < m + 3; i++) order[i] = (int32_t)m; /* zeros, if there are such rows */
    for (int64_t t = 0; t < m; t++) {
        const int64_t i = inverse ? m - 1 - t : t;
        const int32_t own = order[i];
        order[i] = order[pivots[i]];
        order[pivots[i]] = own;
    }
    for (int64_t i = 0; i < m; i += 4)
        *y++ = (FOUR){from[order[i]], from[order[i + 1]], from[order[i + 2]], from[order[i + 3]]};
}

INLINE void NAME(load_all)(int64_t m, const REAL *p, int64_t stride, FOUR *x)
{
    for (; m >= 4; m -= 4, p += 4 * stride) *x++ = stride == 1 ? NAME(load)(4, p, 1) : NAME(load)(4, p, stride);
    if (m == 1)
        *x = NAME(load)(1, p, stride);
    else if (m)
        *x = m == 2 ? NAME(load)(2, p, stride) : NAME(load)(3, p, stride);
}

INLINE void NAME(store_all)(int64_t m, const FOUR *x, REAL *p, int64_t stride)
{
    for (; m >= 4; m -= 4, p += 4 * stride, x++)
        if (stride == 1)
            NAME(store)(4, *x, p, 1);
        else
            NAME(store)(4, *x, p, stride);
    for (int64_t i = 0; i < m; i++) p[i * stride] = ((const REAL *)x)[i];
}

static int NAME(fits)(const fb_system *A)
{
    const int d = A->diagonal == FB_UNIT || A->d.rs == 1 || A->d.cs == 1;
    return A->r == 1 && A->m >= 4 && A->m <= MOST_FOURS && d && (!A->o.a || A->o.rs == 1 || A->o.cs == 1);
}

static int64_t NAME(solve)(const fb_system *A, int64_t start, int64_t stop, void *work)
{
    const int64_t m = A->m, fours = (m + 3) / 4, rest = m % 4, bs = A->b.rs, xs = A->x.rs;
    const int by_columns = A->d.rs == 1, diagonal = A->diagonal;
    const int64_t ld = by_columns ? A->d.cs : A->d.rs, ldo = A->o.rs == 1 ? A->o.cs : A->o.rs;
    /* upper comes first for transposed factors, whose rows are columns */
    const int swapped = diagonal == FB_LU_TRANSPOSED, upper = diagonal == FB_UPPER;
    const NAME(product) product = NAME(products)[rest][A->o.rs == 1], whole = NAME(products)[rest][by_columns];
    NAME(solver) first = NULL, second = NULL;
    switch (diagonal) {
    case FB_LOWER:
    case FB_UPPER: first = NAME(solvers)[rest][upper][by_columns][DIVIDED]; break;
    case FB_LU: /* P D = L U */
        first = NAME(solvers)[rest][0][by_columns][IS_UNIT];
        second = NAME(solvers)[rest][1][by_columns][RECIPROCALS];
        break;
    case FB_LU_TRANSPOSED: /* D^T = U^T L^T P */
        first = NAME(solvers)[rest][0][!by_columns][RECIPROCALS];
        second = NAME(solvers)[rest][1][!by_columns][IS_UNIT];
        break;
    case FB_CHOLESKY: /* D = L L^T */
        first = NAME(solvers)[rest][0][by_columns][RECIPROCALS];
        second = NAME(solvers)[rest][1][!by_columns][RECIPROCALS];
    }
    const REAL *d = (const REAL *)A->d.a + start * A->d.step, *o = A->o.a;
    const REAL *b = (const REAL *)A->b.a + start * A->b.step;
    REAL *to = (REAL *)A->x.a + start * A->x.step;
    FOUR *x = work, *s = x + fours, *y;
    if (o && start > 0) {
        o += (start - 1) * A->o.step;
        NAME(load_all)(m, to - A->x.step, xs, x);
    }
    for (int64_t k = start; k < stop; k++, d += A->d.step, b += A->b.step, to += A->x.step) {
        if (o && k > 0) {
            product(upper, m, o, ldo, x, b, bs, s);
            o += A->o.step;
        } else
            NAME(load_all)(m, b, bs, s);
        if (diagonal == FB_INVERSE)
            whole(0, m, d, ld, s, NULL, 0, x);
        else if (diagonal == FB_LU) {
            NAME(permute)(0, m, A->pivots + k * A->pivot_step, s, x);
            first(m, d, ld, x);
            second(m, d, ld, x);
        } else {
            if (first && first(m, d, ld, s))
                return k + 1;
            if (second)
                second(m, d, ld, s);
            if (swapped)
                NAME(permute)(1, m, A->pivots + k * A->pivot_step, s, x);
            else {
                y = x;
                x = s;
                s = y;
            }
        }
        NAME(store_all)(m, x, to, xs);
    }
    return 0;
}
#include "blocks_lu.h"
#undef FOUR
#undef SHUFFLE
