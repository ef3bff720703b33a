/* Kernels for the oldest CPU of the platform: SSE2, NEON, or plain C. */
#if defined(__GNUC__)
#define VBYTES 16
#else
#define VBYTES 0
#endif
#define TABLE fb_kernels_base
#define MAPS fb_maps_base
#define ONES fb_ones_base
#include "kernels_impl.h"
