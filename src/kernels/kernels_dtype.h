/* Kernels of one dtype. REAL: its real type; COMPLEX: 0 or 1; SUFFIX: ends every name.
 *
 * Contract of all: a is (m, n) or (m, k), b (m, n) or (k, n), c (m, n), any strides, 0 included, for the
 * inputs. Elementwise kernels allow c to be a or b themselves; products do not.
 */

#if COMPLEX
typedef struct {
    REAL re, im;
} NAME(element);
#define ELEMENT NAME(element)
/* conj is 1 or -1 and multiplies the imaginary part as it is read. */
INLINE ELEMENT NAME(read)(const ELEMENT *p, REAL conj) { return (ELEMENT){p->re, conj * p->im}; }
INLINE ELEMENT NAME(times)(ELEMENT x, ELEMENT y)
{
    return (ELEMENT){x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
INLINE ELEMENT NAME(plus)(ELEMENT x, ELEMENT y) { return (ELEMENT){x.re + y.re, x.im + y.im}; }
INLINE ELEMENT NAME(scaled)(REAL s, ELEMENT x) { return (ELEMENT){s * x.re, s * x.im}; }
/* x / y after Smith (1962): no overflow in |y|^2. */
INLINE ELEMENT NAME(over)(ELEMENT x, ELEMENT y)
{
    REAL abs_re = y.re < 0 ? -y.re : y.re, abs_im = y.im < 0 ? -y.im : y.im;
    if (abs_re >= abs_im) {
        if (abs_re == 0 && abs_im == 0)
            return (ELEMENT){x.re / abs_re, x.im / abs_re};
        REAL ratio = y.im / y.re, denominator = 1 / (y.re + y.im * ratio);
        return (ELEMENT){(x.re + x.im * ratio) * denominator, (x.im - x.re * ratio) * denominator};
    }
    REAL ratio = y.re / y.im, denominator = 1 / (y.im + y.re * ratio);
    return (ELEMENT){(x.re * ratio + x.im) * denominator, (x.im * ratio - x.re) * denominator};
}
#define ZERO ((ELEMENT){0, 0})
#define SIGN(flag) ((REAL)((flags & (flag)) ? -1 : 1))
#define CONJ_A SIGN(FB_CONJ_A)
#define CONJ_B SIGN(FB_CONJ_B)
#else
#define ELEMENT REAL
#define CONJ_A 1
#define CONJ_B 1
#define ZERO ((REAL)0)
INLINE REAL NAME(read)(const REAL *p, int conj) { (void)conj; return *p; }
INLINE REAL NAME(times)(REAL x, REAL y) { return x * y; }
INLINE REAL NAME(plus)(REAL x, REAL y) { return x + y; }
INLINE REAL NAME(scaled)(REAL s, REAL x) { return s * x; }
INLINE REAL NAME(over)(REAL x, REAL y) { return x / y; }
#endif

#define ROW(v, i) ((ELEMENT *)(v).p + (i) * (v).rs)

/* One loop over the columns of row i, with unit strides known to the compiler where they are. */
#define EACH_1(expression)                                                    \
    for (int64_t i = 0; i < m; i++) {                                         \
        const ELEMENT *x = ROW(a, i);                                         \
        ELEMENT *z = ROW(c, i);                                               \
        if (a.cs == 1 && c.cs == 1) {                                         \
            const int64_t xs = 1, zs = 1;                                     \
            NO_DEPENDENCE                                                     \
            for (int64_t j = 0; j < n; j++) z[j * zs] = expression;           \
        } else {                                                              \
            const int64_t xs = a.cs, zs = c.cs;                               \
            for (int64_t j = 0; j < n; j++) z[j * zs] = expression;           \
        }                                                                     \
    }
#define EACH_2(expression)                                                    \
    for (int64_t i = 0; i < m; i++) {                                         \
        const ELEMENT *x = ROW(a, i), *y = ROW(b, i);                         \
        ELEMENT *z = ROW(c, i);                                               \
        if (a.cs == 1 && b.cs == 1 && c.cs == 1) {                            \
            const int64_t xs = 1, ys = 1, zs = 1;                             \
            NO_DEPENDENCE                                                     \
            for (int64_t j = 0; j < n; j++) z[j * zs] = expression;           \
        } else if (a.cs == 0 && b.cs == 1 && c.cs == 1) {                     \
            const int64_t xs = 0, ys = 1, zs = 1;                             \
            NO_DEPENDENCE                                                     \
            for (int64_t j = 0; j < n; j++) z[j * zs] = expression;           \
        } else {                                                              \
            const int64_t xs = a.cs, ys = b.cs, zs = c.cs;                    \
            for (int64_t j = 0; j < n; j++) z[j * zs] = expression;           \
        }                                                                     \
    }
#define X_ NAME(read)(x + j * xs, CONJ_A)
#define Y_ NAME(read)(y + j * ys, CONJ_B)

/* c = a */
static void NAME(copy)(int64_t m, int64_t n, fb_view a, fb_view c, int flags)
{
    (void)flags;
    EACH_1(X_)
}

/* c = alpha a + beta b; b is not read when beta = 0, so that its NaN do not pass */
static void NAME(axpby)(int64_t m, int64_t n, double alpha, fb_view a, double beta, fb_view b, fb_view c,
                        int flags)
{
    const REAL s = (REAL)alpha, t = (REAL)beta;
    (void)flags;
    if (t == 0) {
        EACH_1(NAME(scaled)(s, X_))
    } else {
        EACH_2(NAME(plus)(NAME(scaled)(s, X_), NAME(scaled)(t, Y_)))
    }
}

/* c = a * b, elementwise */
static void NAME(mul)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags)
{
    (void)flags;
    EACH_2(NAME(times)(X_, Y_))
}

/* c = a / b, elementwise */
static void NAME(div)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags)
{
    (void)flags;
    EACH_2(NAME(over)(X_, Y_))
}

/* c = alpha a b + beta c by the definition, for any strides; c is not read when beta = 0 */
static void NAME(product_plain)(int64_t m, int64_t n, int64_t k, double alpha, fb_view a, fb_view b,
                                double beta, fb_view c, int flags)
{
    (void)flags;
    for (int64_t i = 0; i < m; i++) {
        const ELEMENT *x = ROW(a, i);
        ELEMENT *z = ROW(c, i);
        for (int64_t j = 0; j < n; j++) {
            const ELEMENT *y = (const ELEMENT *)b.p + j * b.cs;
            ELEMENT sum = ZERO;
            for (int64_t p = 0; p < k; p++)
                sum = NAME(plus)(sum, NAME(times)(NAME(read)(x + p * a.cs, CONJ_A),
                                                  NAME(read)(y + p * b.rs, CONJ_B)));
            sum = NAME(scaled)((REAL)alpha, sum);
            z[j * c.cs] = beta == 0 ? sum : NAME(plus)(sum, NAME(scaled)((REAL)beta, z[j * c.cs]));
        }
    }
}

#if COMPLEX || VBYTES == 0

static void NAME(product)(int64_t m, int64_t n, int64_t k, double alpha, fb_view a, fb_view b, double beta,
                          fb_view c, int flags)
{
    NAME(product_plain)(m, n, k, alpha, a, b, beta, c, flags);
}

/* c = sum(a * b) */
static void NAME(inner)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags)
{
    ELEMENT sum = ZERO;
    (void)flags;
    for (int64_t i = 0; i < m; i++) {
        const ELEMENT *x = ROW(a, i), *y = ROW(b, i);
        const int64_t xs = a.cs, ys = b.cs;
        for (int64_t j = 0; j < n; j++) sum = NAME(plus)(sum, NAME(times)(X_, Y_));
    }
    *(ELEMENT *)c.p = sum;
}

#else

/* c[:rows, :vectors * LANES] = alpha a b + beta c in registers; only the first `columns` are stored.
 * b (k, vectors * LANES) has unit column stride; a (rows, k) has any strides. */
INLINE void NAME(tile)(const int rows, const int vectors, int64_t columns, int64_t k, REAL alpha,
                       const REAL *a, int64_t ars, int64_t acs, const REAL *b, int64_t brs, REAL beta,
                       REAL *c, int64_t crs)
{
    VECTOR sum[ROWS][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sum[r][v] = (VECTOR){0};
    for (int64_t p = 0; p < k; p++, a += acs, b += brs) {
        VECTOR line[VECTORS];
        for (int v = 0; v < vectors; v++) line[v] = LOAD(b + v * LANES);
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++) sum[r][v] += a[r * ars] * line[v];
    }
    for (int r = 0; r < rows; r++) {
        REAL *z = c + r * crs;
        for (int v = 0; v < vectors; v++) {
            const VECTOR value = alpha * sum[r][v];
            if (columns >= (v + 1) * LANES) {
                if (beta == 0)
                    *(NAME(unaligned) *)(z + v * LANES) = value;
                else
                    *(NAME(unaligned) *)(z + v * LANES) = value + beta * LOAD(z + v * LANES);
            } else
                for (int64_t l = 0; v * LANES + l < columns; l++)
                    z[v * LANES + l] = beta == 0 ? value[l] : value[l] + beta * z[v * LANES + l];
        }
    }
}

/* Rows of one panel of columns, four at a time. */
INLINE void NAME(panel)(const int vectors, int64_t columns, int64_t m, int64_t k, REAL alpha, const REAL *a,
                        int64_t ars, int64_t acs, const REAL *b, int64_t brs, REAL beta, REAL *c, int64_t crs)
{
    int64_t i = 0;
    for (; i + ROWS <= m; i += ROWS)
        NAME(tile)(ROWS, vectors, columns, k, alpha, a + i * ars, ars, acs, b, brs, beta, c + i * crs, crs);
    a += i * ars;
    c += i * crs;
    switch (m - i) {
    case 3: NAME(tile)(3, vectors, columns, k, alpha, a, ars, acs, b, brs, beta, c, crs); break;
    case 2: NAME(tile)(2, vectors, columns, k, alpha, a, ars, acs, b, brs, beta, c, crs); break;
    case 1: NAME(tile)(1, vectors, columns, k, alpha, a, ars, acs, b, brs, beta, c, crs); break;
    default: break;
    }
}

/* sum over p of x[p] y[p], both of unit stride */
INLINE REAL NAME(dot)(int64_t k, const REAL *x, const REAL *y)
{
    VECTOR sum[4] = {{0}, {0}, {0}, {0}};
    int64_t p = 0;
    for (; p + 4 * LANES <= k; p += 4 * LANES)
        for (int v = 0; v < 4; v++) sum[v] += LOAD(x + p + v * LANES) * LOAD(y + p + v * LANES);
    for (; p + LANES <= k; p += LANES) sum[0] += LOAD(x + p) * LOAD(y + p);
    sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    REAL total = 0;
    for (int64_t l = 0; l < LANES; l++) total += sum[0][l];
    for (; p < k; p++) total += x[p] * y[p];
    return total;
}

/* c = alpha a b + beta c, register-blocked. b is packed, a panel of columns at a time, only where its
 * columns are strided or where the last vector of a row would read past its end. */
static void NAME(product)(int64_t m, int64_t n, int64_t k, double alpha, fb_view a, fb_view b, double beta,
                          fb_view c, int flags)
{
    const int64_t width = VECTORS * LANES;
    REAL packed[PANEL_K * VECTORS * (VBYTES / sizeof(REAL))];
    if (m == 0 || n == 0)
        return;
    if (n == 1 && a.cs == 1 && b.rs == 1) { /* rows of a against one contiguous vector */
        for (int64_t i = 0; i < m; i++) {
            REAL *z = ROW(c, i), sum = (REAL)alpha * NAME(dot)(k, ROW(a, i), (const REAL *)b.p);
            *z = beta == 0 ? sum : sum + (REAL)beta * *z;
        }
        return;
    }
    if (c.cs != 1 || n == 1) { /* C' = B' A' */
        fb_view old_a = a;
        int64_t old_m = m;
        a = (fb_view){b.p, b.cs, b.rs};
        b = (fb_view){old_a.p, old_a.cs, old_a.rs};
        c = (fb_view){c.p, c.cs, c.rs};
        m = n;
        n = old_m;
    }
    if ((c.cs != 1 && n > 1) || k == 0) {
        NAME(product_plain)(m, n, k, alpha, a, b, beta, c, flags);
        return;
    }
    for (int64_t p = 0; p < k; p += PANEL_K) {
        const int64_t depth = k - p < PANEL_K ? k - p : PANEL_K;
        const REAL scale = (REAL)(p == 0 ? beta : 1);
        const REAL *x = (const REAL *)a.p + p * a.cs;
        for (int64_t j = 0; j < n; j += width) {
            const int64_t columns = n - j < width ? n - j : width;
            const int vectors = (int)((columns + LANES - 1) / LANES);
            const REAL *y = (const REAL *)b.p + p * b.rs + j * b.cs;
            REAL *z = (REAL *)c.p + j;
            int64_t yrs = b.rs;
            if (b.cs != 1 || columns < vectors * LANES) {
                REAL *line = packed;
                for (int64_t q = 0; q < depth; q++, line += vectors * LANES) {
                    for (int64_t l = 0; l < columns; l++) line[l] = y[q * b.rs + l * b.cs];
                    for (int64_t l = columns; l < vectors * LANES; l++) line[l] = 0;
                }
                y = packed;
                yrs = vectors * LANES;
            }
            switch (vectors) {
            case 3:
                NAME(panel)(3, columns, m, depth, (REAL)alpha, x, a.rs, a.cs, y, yrs, scale, z, c.rs);
                break;
            case 2:
                NAME(panel)(2, columns, m, depth, (REAL)alpha, x, a.rs, a.cs, y, yrs, scale, z, c.rs);
                break;
            default:
                NAME(panel)(1, columns, m, depth, (REAL)alpha, x, a.rs, a.cs, y, yrs, scale, z, c.rs);
            }
        }
    }
}

/* c = sum(a * b) */
static void NAME(inner)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags)
{
    REAL sum = 0;
    (void)flags;
    for (int64_t i = 0; i < m; i++) {
        const REAL *x = ROW(a, i), *y = ROW(b, i);
        if (a.cs == 1 && b.cs == 1)
            sum += NAME(dot)(n, x, y);
        else
            for (int64_t j = 0; j < n; j++) sum += x[j * a.cs] * y[j * b.cs];
    }
    *(REAL *)c.p = sum;
}

#endif

#undef ELEMENT
#undef ZERO
#undef SIGN
#undef CONJ_A
#undef CONJ_B
#undef ROW
#undef EACH_1
#undef EACH_2
#undef X_
#undef Y_
