/* The sweeps of one dtype, REAL, in every semiring. */
#define SEMIRING sum_product
#define TIMES(w, x) ((w) * (x))
#define PLUS(x, y) ((x) + (y))
#include "graph_indices.h"
#undef SEMIRING
#undef TIMES
#undef PLUS

#define TIMES(w, x) ((w) + (x))

#define SEMIRING max_plus
#define PLUS(x, y) LARGER(x, y)
#include "graph_indices.h"
#undef SEMIRING
#undef PLUS

#define SEMIRING min_plus
#define PLUS(x, y) SMALLER(x, y)
#include "graph_indices.h"
#undef SEMIRING
#undef PLUS

#define SEMIRING log_sum_exp
#define PLUS(x, y) ((REAL)log_add(x, y))
#include "graph_indices.h"
#undef SEMIRING
#undef PLUS

#undef TIMES
