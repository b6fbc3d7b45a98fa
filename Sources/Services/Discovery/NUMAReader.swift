// SPDX-License-Identifier: Apache-2.0

import CNUMA
import Hardware

/// Reads NUMA nodes, from libnuma for this machine and from sysfs for a captured one.
struct NUMAReader {
    let sysfs: Sysfs

    func nodes() -> [NUMANode] {
        sysfs.root.isLive && sysfs.root.path.isEmpty ? liveNodes() : capturedNodes()
    }

    private func liveNodes() -> [NUMANode] {
        let highest = CNUMA_highest_node()
        guard highest >= 0 else { return [] }
        let ids = (0...highest).filter { CNUMA_has_node($0) != 0 }
        return ids.map { id in
            let row = ids.map { Int(CNUMA_distance(id, $0)) }
            // A 0 means that the firmware has no table; an incomplete row would be misleading.
            return NUMANode(id: Int(id), distances: row.contains(0) ? [] : row)
        }
    }

    private func capturedNodes() -> [NUMANode] {
        let place = "sys/devices/system/node"
        let ids = sysfs.list(place).compactMap { $0.hasPrefix("node") ? Int($0.dropFirst(4)) : nil }.sorted()
        return ids.map { id in
            let row = sysfs.folder("\(place)/node\(id)")?.text("distance")?.split(separator: " ").map { Int($0) } ?? []
            let distances = row.compactMap { $0 }
            return NUMANode(id: id, distances: distances.count == ids.count ? distances : [])
        }
    }
}
