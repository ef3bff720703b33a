/* Clusters and recurrences of one instruction set: their templates for both real dtypes.
 * Before including: TABLE and RECURRENCES, the names of the resulting tables.
 */
#include "cluster.h"
#include "recurrence.h"
#include "template.h"

#include <math.h>

#define LIBM(f) PASTE(LIBM, SUFFIX)(f)
#define LIBM_f32(name) name##f
#define LIBM_f64(name) name

static const int64_t fb_sizes[] = {4, 8, 8, 16, 1, 4, 8}; /* bytes, by fb_type */

#define REAL float
#define SUFFIX f32
#define DTYPE 0
#include "numbers_dtype.h"
#include "cluster_dtype.h"
#include "recurrence_dtype.h"
#undef MICRO_OPERATIONS
#undef REAL
#undef SUFFIX
#undef DTYPE

#define REAL double
#define SUFFIX f64
#define DTYPE 1
#include "numbers_dtype.h"
#include "cluster_dtype.h"
#include "recurrence_dtype.h"
#undef MICRO_OPERATIONS
#undef REAL
#undef SUFFIX
#undef DTYPE

const fb_cluster_runner TABLE[2] = {cluster_f32, cluster_f64};
const fb_recurrence_runner RECURRENCES[2] = {recurrence_f32, recurrence_f64};
