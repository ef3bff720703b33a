/* The sweeps of one dtype and semiring: in the order given for both index types, and planned. */
#define NAME(f) PASTE4(f, SEMIRING, REAL_SUFFIX, INDEX)
#define INDEX int32_t
#include "graph_sweep.h"
#undef INDEX
#define INDEX int64_t
#include "graph_sweep.h"
#undef INDEX
#undef NAME

#define NAME(f) PASTE3(f, SEMIRING, REAL_SUFFIX)
#include "graph_planned.h"
#undef NAME
