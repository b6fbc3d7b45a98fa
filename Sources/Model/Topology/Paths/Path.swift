// SPDX-License-Identifier: Apache-2.0

/// How two devices reach each other, nearest first: the classes of `nvidia-smi topo -m`.
package enum PathClass: Int, Sendable, Codable, CaseIterable, Comparable {
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

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// On what a path, or a pairing, rests: how sure it is.
package enum Basis: String, Sendable, Codable {
    /// The PCI hierarchy puts the two together.
    case pci
    /// The operator's or vendor's description of the machine does: the hypervisor hides the hierarchy.
    case hint
    /// Only the NUMA node does.
    case numa
    /// Nothing does: the i-th accelerator has the i-th NIC.
    case ordinal
}

/// The path between two devices of a machine, with all it was judged by.
package struct Path: Hashable, Sendable {
    package var pathClass: PathClass
    /// What tells the class.
    package var basis: Basis
    /// SLIT distance of the two NUMA nodes; 10 within one, nil when unknown.
    package var numaDistance: Int?
    /// Gb/s of the narrowest PCIe link on the way, those of the two ends included; nil when none is known.
    package var pcieGbps: Double?
    /// Gb/s of the network port at one end; nil when neither end is a NIC, or its rate is not known.
    package var portGbps: Double?
    /// A switch that both are behind sends what they exchange up to the host bridge (ACS redirection).
    package var isRedirected = false
    /// The innermost bridge or host bridge that both are behind: `0000:45:00.0`, `pci0000:44`.
    package var shared: String?

    package init(pathClass: PathClass, basis: Basis) {
        self.pathClass = pathClass
        self.basis = basis
    }

    /// The narrowest place on the way in Gb/s.
    package var narrowest: Double? { [pcieGbps, portGbps].compactMap { $0 }.min() }

    package var distance: Distance {
        Distance(
            pathClass: pathClass,
            // Across nodes of unknown distance is farther than any distance that is told; ACPI's table has
            // 254 for its greatest (ACPI 6.5, section 5.2.17).
            numa: min(numaDistance ?? (pathClass >= .sys ? 255 : 10), 255),
            // What tells no rate is not preferred to what tells a good one.
            narrowness: Distance.limit - min(narrowest.map { Int($0) } ?? 0, Distance.limit))
    }
}

/// How far two devices are from each other: the path's class counts first, then the distance of the NUMA
/// nodes, then how narrow the way is. Lower is nearer.
package struct Distance: Hashable, Sendable, Comparable {
    package var pathClass: PathClass
    /// 10 to 255.
    package var numa: Int
    /// 0 for the widest way that is told apart, 4095 for an unknown one.
    package var narrowness: Int

    static let limit = 4095

    package init(pathClass: PathClass, numa: Int = 10, narrowness: Int = 0) {
        self.pathClass = pathClass
        self.numa = numa
        self.narrowness = narrowness
    }

    /// The same order in one number.
    var rank: Int { pathClass.rawValue << 20 | numa << 12 | narrowness }

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}
