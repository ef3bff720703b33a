/* All sweeps of one instruction set: the template of graph_sweep.h for two dtypes, two index types and four
 * semirings. Before including: TABLE, the name of the resulting table.
 */
#include <math.h>

#include "graph.h"

#define PASTE_(a, b, c, d) a##_##b##_##c##_##d
#define PASTE(a, b, c, d) PASTE_(a, b, c, d)
#define NAME(f) PASTE(f, SEMIRING, REAL_SUFFIX, INDEX)

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define INLINE static inline
#define PREFETCH(p) (void)(p)
#endif

#define WIDE 8 /* columns that are summed in registers */

/* log(e^x + e^y); equal arguments first, because infinity minus itself is NaN */
INLINE double log_add(double x, double y)
{
    if (x == y)
        return x + 0.693147180559945309417232121458;
    const double d = x - y;
    return d > 0 ? x + log1p(exp(-d)) : d <= 0 ? y + log1p(exp(d)) : d;
}

/* NaN wins, as in numpy.maximum and numpy.minimum */
#define LARGER(x, y) ((x) >= (y) || (x) != (x) ? (x) : (y))
#define SMALLER(x, y) ((x) <= (y) || (x) != (x) ? (x) : (y))

#define REAL float
#define REAL_SUFFIX f32
#define INDEX int32_t
#include "graph_semirings.h"
#undef INDEX
#define INDEX int64_t
#include "graph_semirings.h"
#undef INDEX
#undef REAL
#undef REAL_SUFFIX

#define REAL double
#define REAL_SUFFIX f64
#define INDEX int32_t
#include "graph_semirings.h"
#undef INDEX
#define INDEX int64_t
#include "graph_semirings.h"
#undef INDEX
#undef REAL
#undef REAL_SUFFIX

#define SWEEPS(S, R, I) {pull_##S##_##R##_##I, push_##S##_##R##_##I, pull_planned_##S##_##R##_##I, push_planned_##S##_##R##_##I}
#define EACH_SEMIRING(R, I) {SWEEPS(sum_product, R, I), SWEEPS(max_plus, R, I), SWEEPS(min_plus, R, I), SWEEPS(log_sum_exp, R, I)}
const fb_sweeps TABLE[FB_REALS][FB_INDICES][FB_SEMIRINGS] = {
    {EACH_SEMIRING(f32, int32_t), EACH_SEMIRING(f32, int64_t)},
    {EACH_SEMIRING(f64, int32_t), EACH_SEMIRING(f64, int64_t)},
};
