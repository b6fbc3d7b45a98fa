// SPDX-License-Identifier: Apache-2.0

/// The class of a path between two devices, nearest first: the classes of `nvidia-smi topo -m`.
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
    /// The path is not known.
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

/// The evidence for a path or a pairing, strongest first.
package enum Basis: String, Sendable, Codable {
    /// The PCI hierarchy of the kernel.
    case pci
    /// A description of the machine by its operator or vendor, where the hypervisor hides the hierarchy.
    case hint
    /// The NUMA node alone.
    case numa
    /// None: accelerators and NICs are paired by their order.
    case ordinal
}

/// The path between two devices of a machine.
package struct Path: Hashable, Sendable {
    package var pathClass: PathClass
    /// Evidence for the class.
    package var basis: Basis
    /// SLIT distance of the two NUMA nodes; 10 within one, nil if unknown.
    package var numaDistance: Int?
    /// Gb/s of the narrowest PCIe link on the path, including both ends; nil if unknown.
    package var pcieGbps: Double?
    /// Gb/s of the network port at one end; nil if neither end is a NIC, or if its rate is not known.
    package var portGbps: Double?
    /// True if the shared switch sends traffic between the two up to the host bridge (ACS redirection).
    package var isRedirected = false
    /// The innermost bridge or host bridge above both: `0000:45:00.0`, `pci0000:44`.
    package var shared: String?

    package init(pathClass: PathClass, basis: Basis) {
        self.pathClass = pathClass
        self.basis = basis
    }

    /// Gb/s of the narrowest link or port on the path.
    package var narrowest: Double? { [pcieGbps, portGbps].compactMap { $0 }.min() }

    package var distance: Distance {
        Distance(
            pathClass: pathClass,
            // An unknown distance between nodes is farther than any known one; the greatest of ACPI's table is 254 (ACPI 6.5, section
            // 5.2.17).
            numa: min(numaDistance ?? (pathClass >= .sys ? 255 : 10), 255),
            // An unknown rate counts as the lowest.
            narrowness: Distance.limit - min(narrowest.map { Int($0) } ?? 0, Distance.limit))
    }
}

/// The distance between two devices: the class of the path first, then the distance of the NUMA nodes, then the narrowness. Lower is
/// nearer.
package struct Distance: Hashable, Sendable, Comparable {
    package var pathClass: PathClass
    /// SLIT distance of the NUMA nodes, 10 to 255.
    package var numa: Int
    /// 0 for the widest path, 4095 for one of unknown rate.
    package var narrowness: Int

    static let limit = 4095

    package init(pathClass: PathClass, numa: Int = 10, narrowness: Int = 0) {
        self.pathClass = pathClass
        self.numa = numa
        self.narrowness = narrowness
    }

    /// The distance as one number of the same order.
    var rank: Int { pathClass.rawValue << 20 | numa << 12 | narrowness }

    package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}
