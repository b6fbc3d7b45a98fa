// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// How two devices reach each other, nearest first: the classes of `nvidia-smi topo -m`.
package enum PathClass: Int, Sendable, Codable, CaseIterable {
    /// Through at most one PCIe switch.
    case pix
    /// Through several PCIe switches, but no host bridge.
    case pxb
    /// Through one host bridge.
    case phb
    /// Through several host bridges of one NUMA node.
    case node
    /// Across NUMA nodes.
    case sys
    /// Nothing is known.
    case unknown

    package var name: String {
        switch self {
        case .pix: "PIX"
        case .pxb: "PXB"
        case .phb: "PHB"
        case .node: "NODE"
        case .sys: "SYS"
        case .unknown: "unknown"
        }
    }
}

/// The path between two devices of a machine, with what it was judged by.
package struct Path: Hashable, Sendable {
    package var pathClass: PathClass
    /// SLIT distance of the two NUMA nodes; 10 within one, nil when unknown.
    package var numaDistance: Int?
    /// The narrowest PCIe link of the two ends in Gb/s; nil when neither tells.
    package var gigabitsPerSecond: Double?

    package init(_ left: PCIFunction, _ right: PCIFunction, on machine: Machine) {
        if let first = left.numaNode, let second = right.numaNode {
            numaDistance = first == second ? 10 : machine.numaDistance(first, second)
        }
        pathClass = Self.classify(left, right)
        gigabitsPerSecond = [left.link, right.link].compactMap { $0?.gigabitsPerSecond }.min()
    }

    private static func classify(_ left: PCIFunction, _ right: PCIFunction) -> PathClass {
        let shared = zip(left.path, right.path).prefix { $0 == $1 }.count
        // A description may tell the switches and not the host bridge above them.
        let sharesHierarchy = left.path.prefix(shared).contains { $0.hasPrefix("pci") || PCIAddress(parsing: $0) != nil }
        if sharesHierarchy {
            let sharesBridge = left.path[..<shared].last.flatMap { PCIAddress(parsing: $0) } != nil
            // Behind the last shared bridge, a device of the same switch has one port of its own; with
            // more than that, other switches lie between.
            let ports = max(left.path.count, right.path.count) - shared
            return sharesBridge ? (ports <= 1 ? .pix : .pxb) : .phb
        }
        guard let first = left.numaNode, let second = right.numaNode else { return .unknown }
        return first == second ? .node : .sys
    }

    /// One number to compare paths by: class first, then NUMA distance. Lower is nearer.
    ///
    /// The parts have room for sums over 256 pairs, so that sums compare in the same order.
    package var cost: Int {
        let distance = min(numaDistance ?? (pathClass == .sys ? 254 : 10), 254)
        return pathClass.rawValue << 16 | distance
    }
}
