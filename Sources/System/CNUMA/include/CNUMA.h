// SPDX-License-Identifier: Apache-2.0
//
// libnuma: the NUMA nodes of this machine and their distances.
#ifndef NEARSIDE_CNUMA_H
#define NEARSIDE_CNUMA_H

#include <numa.h>

/// -1 if the kernel has no NUMA support.
static inline int CNUMA_highest_node(void) { return numa_available() < 0 ? -1 : numa_max_node(); }

/// 1 if the node exists. Node numbers can have gaps.
static inline int CNUMA_has_node(int node) {
    return numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned int)node);
}

/// SLIT distance; 0 if the firmware has none.
static inline int CNUMA_distance(int from, int to) { return numa_distance(from, to); }

#endif
