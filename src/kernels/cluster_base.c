/* Clusters for the oldest CPU of the platform. */
#define TABLE fb_clusters_base
#include "cluster_impl.h"
