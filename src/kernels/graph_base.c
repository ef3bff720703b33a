/* Sweeps for the oldest CPU of the platform. */
#define TABLE fb_sweeps_base
#include "graph_impl.h"
