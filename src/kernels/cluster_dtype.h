/* Clusters of one dtype. REAL: its type; SUFFIX: ends every name; DTYPE: its number.
 *
 * Contract: out of place, but a store may have the memory of a load with the same strides whose register is not
 * read after the store's register was written. Stores do not overlap each other.
 */

/* d = op(a, b, c, e) on n elements */
static void NAME(micro)(int op, int64_t n, const REAL *a, const REAL *b, const REAL *c, const REAL *e, REAL *d)
{
    switch (op) {
#define LOOP(code, expression)                            \
    case code:                                            \
        NO_DEPENDENCE                                     \
        for (int64_t i = 0; i < n; i++) {                 \
            const REAL x = a[i], y = b[i], z = c[i], w = e[i]; \
            (void)y, (void)z, (void)w;                    \
            d[i] = (REAL)(expression);                    \
        }                                                 \
        break;
        MICRO_OPERATIONS(LOOP)
#undef LOOP
    default: fb_run_map(DTYPE, op, n, a, d);
    }
}

/* d (rows, columns), contiguous, = what lies at p with strides rs, cs */
static void NAME(load)(int type, int64_t rows, int64_t columns, const char *p, int64_t rs, int64_t cs, REAL *d)
{
#define LOAD_AS(T)                                                                          \
    for (int64_t r = 0; r < rows; r++, d += columns) {                                      \
        const T *x = (const T *)p + r * rs;                                                 \
        if (cs == 1) {                                                                      \
            NO_DEPENDENCE                                                                   \
            for (int64_t j = 0; j < columns; j++) d[j] = (REAL)x[j];                        \
        } else if (cs == 0) {                                                               \
            const REAL same = (REAL)*x;                                                     \
            for (int64_t j = 0; j < columns; j++) d[j] = same;                              \
        } else                                                                              \
            for (int64_t j = 0; j < columns; j++) d[j] = (REAL)x[j * cs];                   \
    }                                                                                       \
    break
    switch (type) {
    case FB_T_F32: LOAD_AS(float);
    case FB_T_F64: LOAD_AS(double);
    case FB_T_BOOL: LOAD_AS(uint8_t);
    case FB_T_I32: LOAD_AS(int32_t);
    default: LOAD_AS(int64_t);
    }
#undef LOAD_AS
}

/* what lies at p with strides rs, cs = x (rows, columns), contiguous */
static void NAME(store)(int type, int64_t rows, int64_t columns, const REAL *x, char *p, int64_t rs, int64_t cs)
{
#define STORE_AS(T, value)                                                                  \
    for (int64_t r = 0; r < rows; r++, x += columns) {                                      \
        T *d = (T *)p + r * rs;                                                             \
        if (cs == 1) {                                                                      \
            NO_DEPENDENCE                                                                   \
            for (int64_t j = 0; j < columns; j++) d[j] = (T)(value);                        \
        } else                                                                              \
            for (int64_t j = 0; j < columns; j++) d[j * cs] = (T)(value);                   \
    }                                                                                       \
    break
    switch (type) {
    case FB_T_F32: STORE_AS(float, x[j]);
    case FB_T_F64: STORE_AS(double, x[j]);
    case FB_T_BOOL: STORE_AS(uint8_t, x[j] != 0);
    case FB_T_I32: STORE_AS(int32_t, x[j]);
    default: STORE_AS(int64_t, x[j]);
    }
#undef STORE_AS
}

/* Reductions of n contiguous elements, in many partial results as wide as vectors are. */
#define PARTS 32
#define REDUCE(name, identity, combine)                                                     \
    static REAL NAME(name)(int64_t n, const REAL *x)                                        \
    {                                                                                       \
        REAL part[PARTS], s = (identity);                                                   \
        int64_t i = 0;                                                                      \
        if (n >= PARTS) {                                                                   \
            for (int j = 0; j < PARTS; j++) part[j] = x[j];                                 \
            for (i = PARTS; i + PARTS <= n; i += PARTS)                                     \
                for (int j = 0; j < PARTS; j++) {                                           \
                    const REAL p = part[j], q = x[i + j];                                   \
                    part[j] = (combine);                                                    \
                }                                                                           \
            for (int half = PARTS / 2; half >= 1; half /= 2)                                \
                for (int j = 0; j < half; j++) {                                            \
                    const REAL p = part[j], q = part[j + half];                             \
                    part[j] = (combine);                                                    \
                }                                                                           \
            s = part[0];                                                                    \
        }                                                                                   \
        for (; i < n; i++) {                                                                \
            const REAL p = s, q = x[i];                                                     \
            s = (combine);                                                                  \
        }                                                                                   \
        return s;                                                                           \
    }
REDUCE(total_of_many, 0, p + q)
REDUCE(greatest, -(REAL)INFINITY, q > p || q != q ? q : p)
REDUCE(least, (REAL)INFINITY, q < p || q != q ? q : p)

/* the sum of n contiguous elements; of not so many in eight partial sums, which stay in registers */
INLINE REAL NAME(total)(int64_t n, const REAL *x)
{
    if (n >= 8 * PARTS)
        return NAME(total_of_many)(n, x);
    REAL s[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) s[j] += x[i + j];
    for (; i < n; i++) s[0] += x[i];
    for (int half = 4; half >= 1; half /= 2)
        for (int j = 0; j < half; j++) s[j] += s[j + half];
    return s[0];
}

INLINE REAL NAME(reduced)(int kind, int64_t n, const REAL *x)
{
    return kind == FB_SUM ? NAME(total)(n, x) : kind == FB_GREATEST ? NAME(greatest)(n, x) : NAME(least)(n, x);
}

INLINE REAL NAME(combined)(int kind, REAL p, REAL q)
{
    return kind == FB_SUM ? p + q : kind == FB_GREATEST ? (q > p || q != q ? q : p) : (q < p || q != q ? q : p);
}

/* the result at p with strides rs, cs combined with x (rows, columns), contiguous; reduced axes have stride 0 */
static void NAME(reduce)(int kind, int64_t rows, int64_t columns, const REAL *x, REAL *p, int64_t rs, int64_t cs)
{
    if (rs == 0 && cs == 0) {
        *p = NAME(combined)(kind, *p, NAME(reduced)(kind, rows * columns, x));
        return;
    }
    for (int64_t r = 0; r < rows; r++, x += columns, p += rs) {
        if (cs == 0)
            *p = NAME(combined)(kind, *p, NAME(reduced)(kind, columns, x));
        else if (kind == FB_SUM && cs == 1) {
            NO_DEPENDENCE
            for (int64_t j = 0; j < columns; j++) p[j] += x[j];
        } else
            for (int64_t j = 0; j < columns; j++) p[j * cs] = NAME(combined)(kind, p[j * cs], x[j]);
    }
}

/* the identity of a reduction wherever it writes */
static void NAME(start)(const fb_access *a, const int64_t *shape, int axis, REAL *p)
{
    const REAL identity = a->kind == FB_SUM ? 0 : a->kind == FB_GREATEST ? -(REAL)INFINITY : (REAL)INFINITY;
    while (axis < FB_AXES && a->strides[axis] == 0) axis++;
    if (axis == FB_AXES) {
        *p = identity;
        return;
    }
    for (int64_t i = 0; i < shape[axis]; i++, p += a->strides[axis])
        if (axis == FB_AXES - 1)
            *p = identity;
        else
            NAME(start)(a, shape, axis + 1, p);
}

enum { NAME(rows_axis) = FB_AXES - 2, NAME(columns_axis) = FB_AXES - 1 };

INLINE char *NAME(start_of)(const fb_access *a, char *const *slots)
{
    return slots[a->slot] + a->offset * fb_sizes[a->type];
}

/* One tile of m rows and n columns: `at` is where the first element of each access lies that is copied or reduced. */
INLINE void NAME(cluster_tile)(const fb_cluster *t, char *const *at, REAL *const *reg, int64_t m, int64_t n)
{
    const fb_access *a = t->accesses + t->n_direct;
    for (const fb_access *end = a + t->n_loads; a < end; a++, at++)
        if (!a->fixed)
            NAME(load)(a->type, m, n, *at, a->strides[NAME(rows_axis)], a->strides[NAME(columns_axis)], reg[a->reg]);
    for (const fb_micro *op = t->ops, *end = op + t->n_ops; op < end; op++)
        NAME(micro)(op->op, m * n, reg[op->a], reg[op->b], reg[op->c], reg[op->e], reg[op->d]);
    for (const fb_access *end = a + t->n_stores; a < end; a++, at++) {
        const int64_t rs = a->strides[NAME(rows_axis)], cs = a->strides[NAME(columns_axis)];
        if (a->kind == FB_STORE)
            NAME(store)(a->type, m, n, reg[a->reg], *at, rs, cs);
        else
            NAME(reduce)(a->kind, m, n, reg[a->reg], (REAL *)*at, rs, cs);
    }
}

/* All tiles: `base` is where each access stands at the outer index. */
static void NAME(cluster_tiles)(const fb_cluster *t, char **base, REAL **reg)
{
    char *at[FB_REGISTERS];
    const int64_t rows = t->shape[NAME(rows_axis)], columns = t->shape[NAME(columns_axis)];
    const fb_access *const first = t->accesses, *const copied = first + t->n_direct;
    const fb_access *const last = copied + t->n_loads + t->n_stores;
    int64_t index[FB_AXES] = {0};
    for (int64_t outer = 0; outer < t->outer; outer++) {
        for (int64_t r = 0; r < rows; r += t->tile_rows) {
            const int64_t m = rows - r < t->tile_rows ? rows - r : t->tile_rows;
            for (int64_t j = 0; j < columns; j += t->tile_columns) {
                const int64_t n = columns - j < t->tile_columns ? columns - j : t->tile_columns;
                for (const fb_access *a = first; a < last; a++) {
                    const int64_t there = r * a->strides[NAME(rows_axis)] + j * a->strides[NAME(columns_axis)];
                    char *p = base[a - first] + there * fb_sizes[a->type];
                    if (a < copied)
                        reg[a->reg] = (REAL *)p;
                    else
                        at[a - copied] = p;
                }
                NAME(cluster_tile)(t, at, reg, m, n);
            }
        }
        for (int i = NAME(rows_axis) - 1; i >= 0; i--) { /* the next outer index */
            const int wrap = ++index[i] == t->shape[i];
            for (const fb_access *a = first; a < last; a++)
                base[a - first] += a->strides[i] * fb_sizes[a->type] * (wrap ? 1 - t->shape[i] : 1);
            if (!wrap)
                break;
            index[i] = 0;
        }
    }
}

static void NAME(cluster)(const fb_cluster *t, char *const *slots)
{
    const int64_t rows = t->shape[NAME(rows_axis)], columns = t->shape[NAME(columns_axis)];
    REAL *reg[FB_REGISTERS];
    char *base[FB_REGISTERS];
    const int is_one_tile = t->outer == 1 && rows == t->tile_rows && columns == t->tile_columns;
    const fb_access *const copied = t->accesses + t->n_direct, *const last = copied + t->n_loads + t->n_stores;
    for (int r = 0; r < t->n_registers; r++) {
        OWN_CODE(r); /* gathers of a few would be slower */
        reg[r] = (REAL *)(slots[t->registers[r].slot] + t->registers[r].offset);
    }
    for (const fb_access *a = is_one_tile ? copied : t->accesses; a < last; a++) {
        char *p = base[a - t->accesses] = NAME(start_of)(a, slots);
        if (a->kind >= FB_SUM) {
            if (!a->fixed)
                NAME(start)(a, t->shape, 0, (REAL *)p);
        } else if (a->fixed)
            NAME(load)(a->type, t->tile_rows, t->tile_columns, p, 0, a->strides[NAME(columns_axis)], reg[a->reg]);
    }
    if (is_one_tile)
        NAME(cluster_tile)(t, base + t->n_direct, reg, rows, columns);
    else
        NAME(cluster_tiles)(t, base, reg);
}

#undef PARTS
#undef REDUCE
