/* Clusters for the oldest CPU of the platform. */
#define TABLE fb_clusters_base
#define RECURRENCES fb_recurrences_base
#include "cluster_impl.h"
