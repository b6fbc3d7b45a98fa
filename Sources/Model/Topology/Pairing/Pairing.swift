// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// The smallest balanced unit of accelerators and fabric NICs that belong together.
package struct Pair: Hashable, Sendable {
    /// Position in the machine's own order, equal on every node of one machine type.
    package var rail: Int
    package var accelerators: [Device]
    package var nics: [Device]
    package var links: [PairLink]
    package var basis: Basis
    /// NUMA node of all members; nil if they differ or one is unknown.
    package var numaNode: Int?
    /// Gb/s between the accelerators and the network (``Bandwidth``); nil if no rate on the way is known.
    package var gbps: Double?

    package var name: String { "pair-\(rail)" }
    package var members: [Device] { accelerators + nics }
}

/// The path between an accelerator and a NIC of one pair.
package struct PairLink: Hashable, Sendable {
    package var accelerator: String
    package var nic: String
    package var path: Path
    /// Gb/s between the two (``Bandwidth``); nil if no rate on the way is known.
    package var gbps: Double?
}

/// The pairing of accelerators and NICs. ``PairSolver`` has the criteria.
package struct Pairing: Sendable {
    /// Pairs in the order of rails.
    package private(set) var pairs: [Pair]
    package let unpairedAccelerators: [Device]
    package let unpairedNICs: [Device]

    /// Pairs some devices of a machine.
    ///
    /// - Parameters:
    ///   - distances: distances of the machine including missing devices.
    ///   - missing: lost devices that may return. Their places are kept, so that other rails do not change, and of equally good pairings
    ///     the one with the fewest changes is taken.
    package init(
        accelerators: [Device], nics: [Device], distances: Distances, hint: Hint? = nil,
        missing: (accelerators: [Device], nics: [Device]) = ([], [])
    ) {
        let accelerators = accelerators.filter { $0.function != nil }.inMachineOrder(hint: hint)
        let nics = nics.filter { $0.function != nil }.inMachineOrder(hint: hint)
        let paths = distances.paths(accelerators, nics)
        let used: [PairGroup]
        let rails: [Int]
        if missing.accelerators.isEmpty && missing.nics.isEmpty {
            used = PairSolver(paths.map { $0.map(\.distance) }, nodes: (accelerators.map(\.numaNode), nics.map(\.numaNode))).groups()
            rails = Array(used.indices)
        } else {
            (used, rails) = Self.repaired(accelerators, nics, paths, distances, hint, missing)
        }
        // Equal paths mean that the hierarchy was not a criterion.
        let distinguishes = Set(paths.joined().map(\.distance)).count > 1 || nics.count == 1
        pairs = zip(used, rails).map { group, rail in
            Self.pair(group, rail, accelerators, nics, paths, distinguishes)
        }
        .sorted { $0.rail < $1.rail }
        let taken = Set(used.flatMap(\.nics))
        unpairedAccelerators = used.isEmpty ? accelerators : []
        unpairedNICs = nics.indices.filter { !taken.contains($0) }.map { nics[$0] }
    }

    /// Returns the pairing of the remaining devices: the best one with the fewest changes from the pairing of the whole machine.
    private static func repaired(
        _ accelerators: [Device], _ nics: [Device], _ paths: [[Path]], _ distances: Distances, _ hint: Hint?,
        _ missing: (accelerators: [Device], nics: [Device])
    ) -> ([PairGroup], rails: [Int]) {
        guard !accelerators.isEmpty, !nics.isEmpty else { return ([], []) }
        let allAccelerators = (accelerators + missing.accelerators.filter { $0.function != nil }).inMachineOrder(hint: hint)
        let allNICs = (nics + missing.nics.filter { $0.function != nil }).inMachineOrder(hint: hint)
        let whole = Pairing(accelerators: allAccelerators, nics: allNICs, distances: distances, hint: hint)
        var pairOfMember: [String: Int] = [:]
        for pair in whole.pairs {
            for member in pair.members { pairOfMember[member.address] = pair.rail }
        }
        func places(_ some: [Device], _ all: [Device]) -> [Int] {
            let places = Dictionary(all.enumerated().map { ($1.address, $0) }, uniquingKeysWith: { first, _ in first })
            return some.map { places[$0.address] ?? 0 }
        }
        let share = whole.pairs.map(\.nics.count).max() ?? 0
        let solver = PairSolver(
            paths.map { $0.map(\.distance) }, nodes: (accelerators.map(\.numaNode), nics.map(\.numaNode)),
            earlier: .init(
                acceleratorPlaces: places(accelerators, allAccelerators), nicPlaces: places(nics, allNICs),
                acceleratorCount: allAccelerators.count, nicCount: allNICs.count,
                isKept: { accelerator, nic in
                    pairOfMember[accelerators[accelerator].address].map { $0 == pairOfMember[nics[nic].address] } ?? false
                },
                share: share, worst: whole.pairs.flatMap(\.links).map(\.path.distance).max()))
        let groups = solver.groups()
        // A pair keeps the rail of its predecessor with the same NIC or accelerator.
        var free = Set(0..<max(groups.count, whole.pairs.count))
        var rails = [Int?](repeating: nil, count: groups.count)
        for (index, group) in groups.enumerated() {
            let member = group.nics.count == 1 ? nics[group.nics[0]] : accelerators[group.accelerators[0]]
            if let rail = pairOfMember[member.address], free.remove(rail) != nil { rails[index] = rail }
        }
        var rest = free.sorted()[...]
        return (groups, rails.map { $0 ?? rest.popFirst() ?? 0 })
    }

    private static func pair(
        _ group: PairGroup, _ rail: Int, _ accelerators: [Device], _ nics: [Device], _ paths: [[Path]], _ distinguishes: Bool
    ) -> Pair {
        let members = group.accelerators.map { accelerators[$0] }
        let partners = group.nics.map { nics[$0] }
        let links = group.accelerators.flatMap { accelerator in
            group.nics.map { nic in
                let path = paths[accelerator][nic]
                return PairLink(
                    accelerator: accelerators[accelerator].address, nic: nics[nic].address, path: path,
                    gbps: Bandwidth.gbps(path, accelerators[accelerator]))
            }
        }
        let nodes = Set((members + partners).map(\.numaNode))
        return Pair(
            rail: rail, accelerators: members, nics: partners, links: links,
            basis: distinguishes ? basis(of: links) : .ordinal, numaNode: nodes.count == 1 ? nodes.first ?? nil : nil,
            gbps: Bandwidth.gbps(accelerators: members, nics: partners, links: links))
    }

    /// Returns the weakest basis among the links.
    private static func basis(of links: [PairLink]) -> Basis {
        let order: [Basis] = [.pci, .hint, .numa, .ordinal]
        // Devices on different nodes are paired only by their order.
        let grounds = links.map { $0.path.pathClass >= .sys ? Basis.ordinal : $0.path.basis }
        return grounds.max { (order.firstIndex(of: $0) ?? 0) < (order.firstIndex(of: $1) ?? 0) } ?? .ordinal
    }
}
