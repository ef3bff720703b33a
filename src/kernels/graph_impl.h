/* All sweeps of one instruction set: the templates of graph_sweep.h for two dtypes, two index types and four
 * semirings, and of graph_planned.h without the index types. Before including: TABLE, the name of the resulting table.
 */
#include <math.h>

#include "graph.h"

#define PASTE3_(a, b, c) a##_##b##_##c
#define PASTE4_(a, b, c, d) a##_##b##_##c##_##d
#define PASTE3(a, b, c) PASTE3_(a, b, c)
#define PASTE4(a, b, c, d) PASTE4_(a, b, c, d)

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(p) __builtin_prefetch(p)
#define PREFETCH_ONCE(p) __builtin_prefetch(p, 0, 0)
#else
#define INLINE static inline
#define PREFETCH(p) (void)(p)
#define PREFETCH_ONCE(p) (void)(p)
#endif

#define WIDE 8    /* columns that are summed in registers */
#define AHEAD 256 /* edges from the one in work to the one that is fetched */

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
#include "graph_semirings.h"
#undef REAL
#undef REAL_SUFFIX

#define REAL double
#define REAL_SUFFIX f64
#include "graph_semirings.h"
#undef REAL
#undef REAL_SUFFIX

#define GIVEN(S, R, I) {pull_##S##_##R##_##I, push_##S##_##R##_##I}
#define PLANNED(S, R) {pull_planned_##S##_##R, push_planned_##S##_##R}
#define EACH_SEMIRING(sweeps, ...)                                                                                  \
    {sweeps(sum_product, __VA_ARGS__), sweeps(max_plus, __VA_ARGS__), sweeps(min_plus, __VA_ARGS__),                \
     sweeps(log_sum_exp, __VA_ARGS__)}
const fb_sweep_table TABLE = {
    {{EACH_SEMIRING(GIVEN, f32, int32_t), EACH_SEMIRING(GIVEN, f32, int64_t)},
     {EACH_SEMIRING(GIVEN, f64, int32_t), EACH_SEMIRING(GIVEN, f64, int64_t)}},
    {EACH_SEMIRING(PLANNED, f32), EACH_SEMIRING(PLANNED, f64)},
};
