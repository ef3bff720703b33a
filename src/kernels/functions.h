/* Elementary functions of whole arrays, float32 and float64: the table that the executor uses.
 *
 * Largest errors in units in the last place (tests/test_functions.py), subnormal numbers included:
 *   0    relu             2    exp exp2 log1p log2 arctan     3    tanh sigmoid sin sinh
 *   0.5  sqrt             2.5  expm1 softplus log10           4    erfc ndtr tan
 *   1.5  log                   cos cosh erf
 * The others are libm's; so are sin, cos and tan of very large angles.
 */
#ifndef FASTBS_FUNCTIONS_H
#define FASTBS_FUNCTIONS_H

#include <stdint.h>

enum fb_function {
    FB_EXP,
    FB_EXPM1,
    FB_LOG,
    FB_LOG1P,
    FB_TANH,
    FB_SIGMOID,  /* 1 / (1 + exp(-x)) */
    FB_SOFTPLUS, /* log(1 + exp(x)) */
    FB_RELU,     /* max(x, 0) */
    FB_ERF,
    FB_ERFC,
    FB_NDTR, /* the normal distribution function, erfc(-x / sqrt(2)) / 2 */
    FB_SIN,
    FB_COS,
    FB_SQRT,
    FB_EXP2,
    FB_LOG2,
    FB_LOG10,
    FB_TAN,
    FB_SINH,
    FB_COSH,
    FB_ARCTAN,
    FB_ARCSIN,
    FB_ARCCOS,
    FB_ARCSINH,
    FB_ARCCOSH,
    FB_ARCTANH,
    FB_CBRT,
    FB_FUNCTIONS
};

/* the labels of all functions in a switch */
#define FUNCTION_CASES                                                                                         \
    case FB_EXP: case FB_EXPM1: case FB_LOG: case FB_LOG1P: case FB_TANH: case FB_SIGMOID: case FB_SOFTPLUS:   \
    case FB_RELU: case FB_ERF: case FB_ERFC: case FB_NDTR: case FB_SIN: case FB_COS: case FB_SQRT:             \
    case FB_EXP2: case FB_LOG2: case FB_LOG10: case FB_TAN: case FB_SINH: case FB_COSH: case FB_ARCTAN:        \
    case FB_ARCSIN: case FB_ARCCOS: case FB_ARCSINH: case FB_ARCCOSH: case FB_ARCTANH: case FB_CBRT:

/* y = f(x), elementwise, unit strides, any alignment; y may be x. Neither is touched beyond n. */
typedef void (*fb_map)(int64_t n, const void *x, void *y);

typedef fb_map fb_maps[2][FB_FUNCTIONS]; /* [FB_F32, FB_F64] */

/* The same of one number. */
typedef struct {
    float (*f32[FB_FUNCTIONS])(float);
    double (*f64[FB_FUNCTIONS])(double);
} fb_ones;

/* Taylor polynomials of tanh, c[0] + c[1] r + ... + c[7] r^7, about 0, 1 / FB_TANH_STEPS, ... to FB_TANH_END. What they
 * leave out is below 0.3 units in the last place of float64. */
#define FB_TANH_STEPS 64
#define FB_TANH_END 4

typedef struct {
    float f32[FB_TANH_STEPS * FB_TANH_END + 1][8];
    double f64[FB_TANH_STEPS * FB_TANH_END + 1][8];
} fb_tanh_table;

extern fb_tanh_table fb_tanh_terms;
void fb_fill_tanh_terms(void);

extern const fb_ones fb_ones_base, fb_ones_avx2;
extern const fb_maps fb_maps_base, fb_maps_avx2, fb_maps_avx512;

/* Chosen once by fb_choose_kernels. The widest vectors pay where they are filled a few times. */
static const int64_t fb_many[2] = {48, 16};
extern const fb_map (*fb_map_table)[FB_FUNCTIONS], (*fb_map_table_of_many)[FB_FUNCTIONS];
extern const fb_ones *fb_one_table;

static inline void fb_run_map(int dtype, int function, int64_t n, const void *x, void *y)
{
    (n < fb_many[dtype] ? fb_map_table : fb_map_table_of_many)[dtype][function](n, x, y);
}

#endif
