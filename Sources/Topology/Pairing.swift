// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// On what a pairing rests: how sure it is.
package enum Basis: String, Sendable, Codable {
    /// The PCI hierarchy puts the two together.
    case pci
    /// Only the NUMA node does.
    case numa
    /// Nothing does: the i-th accelerator has the i-th NIC.
    case ordinal
}

/// The smallest balanced unit of accelerators and fabric NICs that belong together.
package struct Pair: Hashable, Sendable {
    /// Position in the machine's own order, equal on every node of one machine type.
    package var rail: Int
    package var accelerators: [Device]
    package var nics: [Device]
    package var links: [PairLink]
    package var basis: Basis
    /// The NUMA node of all members; nil when they differ or one is unknown.
    package var numaNode: Int?

    package var name: String { "pair-\(rail)" }
}

/// How an accelerator of a pair reaches a NIC of it.
package struct PairLink: Hashable, Sendable {
    package var accelerator: String
    package var nic: String
    package var path: Path
    /// Gb/s that the two can exchange: the lower of the NIC's rate and the narrowest PCIe link; nil
    /// when neither is known.
    package var gbps: Double?
}

/// Which accelerator goes with which NICs.
///
/// Every accelerator gets an equal share of the fabric NICs, or, when there are more accelerators than
/// NICs, every NIC an equal share of accelerators. Of all such pairings the one is taken whose worst
/// path is the best possible, then whose sum is; among equals bus order decides. The solution is exact.
package struct Pairing: Sendable {
    package var pairs: [Pair]
    package var unpairedAccelerators: [Device]
    package var unpairedNICs: [Device]

    package init(_ machine: Machine) {
        let accelerators = machine.devices.filter { $0.kind == .accelerator && $0.function?.physicalFunction == nil }
        self.init(machine, accelerators: accelerators, nics: Fabric(machine).nics)
    }

    package init(_ machine: Machine, accelerators: [Device], nics: [Device]) {
        let accelerators = accelerators.filter { $0.function != nil }
        let nics = nics.filter { $0.function != nil }
        guard !accelerators.isEmpty, !nics.isEmpty else {
            pairs = []
            unpairedAccelerators = accelerators
            unpairedNICs = nics
            return
        }
        let paths = accelerators.map { accelerator in
            nics.map { nic in Self.path(accelerator, nic, on: machine) }
        }
        let groups =
            accelerators.count <= nics.count
            ? Self.shareNICs(accelerators.count, nics.count, paths)
            : Self.shareAccelerators(accelerators.count, nics.count, paths)
        // Where there was a choice and every path is alike, the hierarchy has said nothing.
        let distinguishes = Set(paths.joined().map(\.cost)).count > 1 || nics.count == 1
        pairs = groups.enumerated().map { rail, group in
            let members = group.accelerators.map { accelerators[$0] }
            let partners = group.nics.map { nics[$0] }
            let links = group.accelerators.flatMap { accelerator in
                group.nics.map { nic in
                    Self.link(accelerators[accelerator], nics[nic], paths[accelerator][nic])
                }
            }
            let nodes = Set((members + partners).map(\.numaNode))
            return Pair(
                rail: rail, accelerators: members, nics: partners, links: links,
                basis: distinguishes ? Self.basis(of: links) : .ordinal,
                numaNode: nodes.count == 1 ? nodes.first ?? nil : nil)
        }
        let used = Set(groups.flatMap(\.nics))
        unpairedAccelerators = []
        unpairedNICs = nics.indices.filter { !used.contains($0) }.map { nics[$0] }
    }

    private struct Group {
        var accelerators: [Int]
        var nics: [Int]
    }

    /// At least as many NICs as accelerators: each accelerator has as many slots as its share.
    private static func shareNICs(_ accelerators: Int, _ nics: Int, _ paths: [[Path]]) -> [Group] {
        let share = nics / accelerators
        let rows = accelerators * share
        func cost(_ row: Int, _ nic: Int) -> Int { paths[row / share][nic].cost }
        let bound = Assignment.bottleneck(rows: rows, columns: nics, cost: cost)
        let weight = weigh(rows: rows, columns: nics, bound: bound, cost: cost)
        let columns = Assignment.minimalSum(rows: rows, columns: nics, cost: weight)
        return (0..<accelerators).map { accelerator in
            Group(
                accelerators: [accelerator],
                nics: (0..<share).map { columns[accelerator * share + $0] }.sorted())
        }
    }

    /// More accelerators than NICs: each NIC has as many slots as its share, and one more where the
    /// division leaves a rest. The additional slots cost so much that only the rest takes one.
    private static func shareAccelerators(_ accelerators: Int, _ nics: Int, _ paths: [[Path]]) -> [Group] {
        let share = accelerators / nics
        let mandatory = share * nics
        let slots = mandatory + (accelerators % nics == 0 ? 0 : nics)
        func nic(_ column: Int) -> Int { column < mandatory ? column / share : column - mandatory }
        func cost(_ accelerator: Int, _ column: Int) -> Int { paths[accelerator][nic(column)].cost }
        // All accelerators find a slot, and all mandatory slots an accelerator: where each is possible
        // alone, both are possible together (Mendelsohn and Dulmage 1958).
        let bound = max(
            Assignment.bottleneck(rows: accelerators, columns: slots, cost: cost),
            Assignment.bottleneck(rows: mandatory, columns: accelerators) { cost($1, $0) })
        let weighed = weigh(rows: accelerators, columns: slots, bound: bound, cost: cost)
        let surcharge = Assignment.forbidden / (2 * accelerators)
        let columns = Assignment.minimalSum(rows: accelerators, columns: slots) { row, column in
            weighed(row, column) + (column < mandatory ? 0 : surcharge)
        }
        return (0..<nics).map { index in
            Group(accelerators: columns.indices.filter { nic(columns[$0]) == index }, nics: [index])
        }.sorted { ($0.accelerators.first ?? .max) < ($1.accelerators.first ?? .max) }
    }

    /// The objective as one number for each edge: edges worse than the bottleneck are forbidden, then
    /// the path counts, then how far the two are from standing at the same place of their rows.
    private static func weigh(
        rows: Int, columns: Int, bound: Int, cost: @escaping (Int, Int) -> Int
    ) -> (Int, Int) -> Int {
        // The squares of the offsets must not add up to one step of path cost.
        let scale = columns * columns * columns + 1
        return { row, column in
            let cost = cost(row, column)
            if cost > bound { return Assignment.forbidden / columns }
            let offset = row * columns / rows - column
            return cost * scale + offset * offset
        }
    }

    private static func path(_ accelerator: Device, _ nic: Device, on machine: Machine) -> Path {
        guard let left = accelerator.function, let right = nic.function else {
            preconditionFailure("only PCI devices are paired")
        }
        return Path(left, right, on: machine)
    }

    private static func link(_ accelerator: Device, _ nic: Device, _ path: Path) -> PairLink {
        let rate = nic.rdmaDevices.flatMap(\.ports).compactMap(\.rate).max()
        return PairLink(
            accelerator: accelerator.address, nic: nic.address, path: path,
            gbps: [rate, path.gigabitsPerSecond].compactMap { $0 }.min())
    }

    /// The weakest ground among the links.
    private static func basis(of links: [PairLink]) -> Basis {
        let worst = links.map(\.path.pathClass.rawValue).max() ?? PathClass.unknown.rawValue
        if worst <= PathClass.phb.rawValue { return .pci }
        return worst == PathClass.node.rawValue ? .numa : .ordinal
    }
}
