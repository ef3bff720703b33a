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
            const ELEMENT same = *x, *x = &same;                              \
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

/* c = 0 */
static void NAME(fill)(int64_t m, int64_t n, fb_view c)
{
    for (int64_t i = 0; i < m; i++) {
        ELEMENT *z = ROW(c, i);
        for (int64_t j = 0; j < n; j++) z[j * c.cs] = ZERO;
    }
}

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

#if !COMPLEX && VBYTES
static void NAME(outer)(int64_t m, int64_t n, REAL alpha, fb_view a, fb_view b, fb_view c);
#endif

/* c = a * b, elementwise */
static void NAME(mul)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags)
{
    (void)flags;
#if !COMPLEX && VBYTES
    if (a.cs == 0 && b.rs == 0 && c.cs == 1) { /* a column times a row */
        NAME(outer)(m, n, 1, a, b, c);
        return;
    }
#endif
    EACH_2(NAME(times)(X_, Y_))
}

/* c = a / b, elementwise */
static void NAME(div)(int64_t m, int64_t n, fb_view a, fb_view b, fb_view c, int flags)
{
    (void)flags;
    EACH_2(NAME(over)(X_, Y_))
}

/* c = alpha a b + beta d by the definition, for any strides; d is not read when beta = 0 */
static void NAME(product_plain)(const fb_product *q)
{
    const fb_view a = q->a, b = q->b, c = q->c, d = q->d;
    const int flags = q->flags;
    (void)flags;
    for (int64_t i = 0; i < q->m; i++) {
        const ELEMENT *x = ROW(a, i), *w = ROW(d, i);
        ELEMENT *z = ROW(c, i);
        for (int64_t j = 0; j < q->n; j++) {
            const ELEMENT *y = (const ELEMENT *)b.p + j * b.cs;
            ELEMENT sum = ZERO;
            for (int64_t p = 0; p < q->k; p++)
                sum = NAME(plus)(sum, NAME(times)(NAME(read)(x + p * a.cs, CONJ_A),
                                                  NAME(read)(y + p * b.rs, CONJ_B)));
            sum = NAME(scaled)((REAL)q->alpha, sum);
            z[j * c.cs] = q->beta == 0 ? sum : NAME(plus)(sum, NAME(scaled)((REAL)q->beta, w[j * d.cs]));
        }
    }
}

#if COMPLEX || VBYTES == 0

static void NAME(product)(const fb_product *q) { NAME(product_plain)(q); }

static fb_tile NAME(tile_for)(const fb_instruction *t)
{
    (void)t;
    return NULL;
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

#include "products_dtype.h"

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

#if !COMPLEX
#include "layer_dtype.h"
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
