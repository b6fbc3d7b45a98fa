// SPDX-License-Identifier: Apache-2.0

import Hardware

/// Reads the links between AMD accelerators from the topology of their compute driver,
/// `/sys/class/kfd/kfd/topology` (drivers/gpu/drm/amd/amdkfd/kfd_topology.c).
struct AMDLinks {
    let sysfs: Sysfs

    /// CRAT I/O link type of XGMI.
    private static let xgmi = 11

    private struct Node {
        var address: PCIAddress
        var hive: String?
        /// Numbers of the nodes at the other ends of the XGMI links.
        var links: [Int]
    }

    func complete(_ functions: inout [PCIFunction]) {
        let place = "sys/class/kfd/kfd/topology/nodes"
        var nodes: [Int: Node] = [:]
        for name in sysfs.list(place) {
            if let number = Int(name) { nodes[number] = node("\(place)/\(name)") }
        }
        for node in nodes.values {
            guard let index = functions.firstIndex(where: { $0.address == node.address }) else { continue }
            var facts = functions[index].accelerator ?? AcceleratorFacts()
            facts.hive = node.hive
            facts.neighbours = node.links.compactMap { nodes[$0]?.address }.sorted()
            functions[index].accelerator = facts.isEmpty ? nil : facts
        }
    }

    /// Nil for a node without GPU.
    private func node(_ place: String) -> Node? {
        let values = properties("\(place)/properties")
        guard let simd = values["simd_count"], simd > 0, let location = values["location_id"], let domain = values["domain"],
            let domain = UInt32(exactly: domain)
        else { return nil }
        var links: [Int] = []
        for name in sysfs.list("\(place)/io_links") {
            let link = properties("\(place)/io_links/\(name)/properties")
            if link["type"] == UInt64(Self.xgmi), let to = link["node_to"].flatMap({ Int(exactly: $0) }) { links.append(to) }
        }
        let address = PCIAddress(
            domain: domain, bus: UInt8(truncatingIfNeeded: location >> 8), device: UInt8(location >> 3 & 31),
            function: UInt8(location & 7))
        return Node(address: address, hive: values["hive_id"].flatMap { $0 == 0 ? nil : String($0) }, links: links)
    }

    /// Reads a file with a name and a number on each line. The driver's files are longer than one line, but
    /// shorter than a page.
    private func properties(_ path: String) -> [Substring: UInt64] {
        var values: [Substring: UInt64] = [:]
        for line in sysfs.lines(path) {
            let fields = line.split(separator: " ")
            if fields.count == 2, let value = UInt64(fields[1]) { values[fields[0]] = value }
        }
        return values
    }
}
