// SPDX-License-Identifier: Apache-2.0

import Hardware
package import Topology

/// The document of `nearside pairs -o json`, a stable interface (`api/inspection.md`).
package struct PairsDocument: Hashable, Sendable, Codable {
    package var pairs: [Entry]
    package var sets: [Set]
    package var unpaired: Unpaired
    /// Warnings, such as a hint that was refused.
    package var remarks: [String]

    /// A pair.
    package struct Entry: Hashable, Sendable, Codable {
        package var name: String
        package var accelerators: [String]
        package var nics: [String]
        package var links: [Link]
        package var basis: String
        /// Reason for the pairing, for display.
        package var why: String
        package var rail: Int
        package var numaNode: Int?
        /// Predicted Gb/s between the pair's accelerators and the network.
        package var gbps: Double?
    }

    /// The path between an accelerator and a NIC of the pair.
    package struct Link: Hashable, Sendable, Codable {
        package var accelerator: String
        package var nic: String
        package var path: String
        package var numaDistance: Int?
        /// Gb/s of the narrowest PCIe link on the path; ``portGbps`` is the rate of the NIC's ports.
        package var pcieGbps: Double?
        package var portGbps: Double?
        package var gbps: Double?
    }

    /// A set of pairs.
    package struct Set: Hashable, Sendable, Codable {
        package var name: String
        package var pairs: [String]
    }

    /// Accelerators and fabric NICs without a pair.
    package struct Unpaired: Hashable, Sendable, Codable {
        package var accelerators: [String]
        package var nics: [String]
    }

    package init(_ topology: MachineTopology) {
        let pairing = topology.pairing
        pairs = pairing.pairs.map { pair in
            Entry(
                name: pair.name, accelerators: pair.accelerators.map(\.address), nics: pair.nics.map(\.address),
                links: pair.links.map {
                    Link(
                        accelerator: $0.accelerator, nic: $0.nic, path: $0.path.pathClass.name,
                        numaDistance: $0.path.numaDistance, pcieGbps: $0.path.pcieGbps.map(Self.rounded),
                        portGbps: $0.path.portGbps.map(Self.rounded), gbps: $0.gbps.map(Self.rounded))
                },
                basis: pair.basis.rawValue, why: pair.why(topology.hint), rail: pair.rail, numaNode: pair.numaNode,
                gbps: pair.gbps.map(Self.rounded))
        }
        sets = topology.sets.sets.map { set in Set(name: set.name, pairs: set.rails.map { "pair-\($0)" }) }
        unpaired = Unpaired(
            accelerators: pairing.unpairedAccelerators.map(\.address), nics: pairing.unpairedNICs.map(\.address))
        remarks = topology.warnings
    }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    package var text: String {
        var text = remarks.map { "note: \($0)\n" }.joined()
        guard !pairs.isEmpty else {
            let missing = unpaired.accelerators.isEmpty ? "accelerators" : "fabric NICs"
            return text + "no pairs: this machine has no \(missing)\n"
        }
        var table = TextTable(["PAIR", "NUMA", "ACCELERATORS", "NICS", "PATH", "Gb/s", "BASIS", "WHY"])
        for pair in pairs {
            table.add([
                pair.name, pair.numaNode.map(String.init) ?? "?", Self.list(pair.accelerators), Self.list(pair.nics),
                pair.path, pair.gbps.map { String(Int($0)) } ?? "?", pair.basis, pair.why,
            ])
        }
        text += table.text
        if !sets.isEmpty {
            text += "\n"
            for set in sets { text += "\(set.name): \(set.pairs.joined(separator: " "))\n" }
        }
        if !unpaired.accelerators.isEmpty { text += "without a NIC: \(unpaired.accelerators.joined(separator: " "))\n" }
        if !unpaired.nics.isEmpty { text += "without an accelerator: \(unpaired.nics.joined(separator: " "))\n" }
        return text
    }

    /// Returns up to three addresses, or the first and the last with their number.
    private static func list(_ addresses: [String]) -> String {
        addresses.count <= 2
            ? addresses.joined(separator: " ") : "\(addresses[0]) .. \(addresses[addresses.count - 1]) (\(addresses.count))"
    }
}

extension PairsDocument.Entry {
    /// Classes of the paths, nearest first.
    package var path: String {
        PathClass.allCases.map(\.name).filter { name in links.contains { $0.path == name } }.joined(separator: ",")
    }
}

extension Pair {
    /// Returns the reason for the pairing, for display.
    package func why(_ hint: Hint?) -> String {
        let paths = links.map(\.path).sorted { $0.distance < $1.distance }
        guard let nearest = paths.first, let farthest = paths.last else { return "" }
        let node = "NUMA node \(numaNode.map(String.init) ?? "unknown")"
        let near =
            switch nearest.pathClass {
            case .pix, .pxb: "behind switch \(nearest.shared ?? "")"
            case .phb:
                nearest.isRedirected
                    ? "behind switch \(nearest.shared ?? ""), which redirects (ACS)" : "on host bridge \(nearest.shared ?? "")"
            case .node: "on one NUMA node; the PCI hierarchy is unknown"
            case .sys, .unknown: ""
            }
        if basis == .hint { return "by \(hint?.source ?? "a hint")" }
        if basis == .ordinal, farthest.pathClass != .sys { return "distances unknown: paired by order" }
        if nearest.pathClass == farthest.pathClass { return near.isEmpty ? "across NUMA nodes, all equally far" : near }
        let count = paths.count { $0.pathClass == nearest.pathClass }
        let rest = farthest.pathClass == .sys ? "across NUMA nodes" : "on \(node)"
        return "\(count) \(near), \(paths.count - count) \(rest)"
    }
}
