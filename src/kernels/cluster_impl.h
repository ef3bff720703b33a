/* Clusters of one instruction set: the template of cluster_dtype.h for both real dtypes.
 * Before including: TABLE, the name of the resulting table.
 */
#include "cluster.h"
#include "template.h"

#include <math.h>

#define LIBM(f) PASTE(LIBM, SUFFIX)(f)
#define LIBM_f32(name) name##f
#define LIBM_f64(name) name

static const int64_t fb_sizes[] = {4, 8, 8, 16, 1, 4, 8}; /* bytes, by fb_type */

#define REAL float
#define SUFFIX f32
#define DTYPE 0
#include "cluster_dtype.h"
#undef REAL
#undef SUFFIX
#undef DTYPE

#define REAL double
#define SUFFIX f64
#define DTYPE 1
#include "cluster_dtype.h"
#undef REAL
#undef SUFFIX
#undef DTYPE

const fb_cluster_runner TABLE[2] = {cluster_f32, cluster_f64};
