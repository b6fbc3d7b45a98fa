// SPDX-License-Identifier: Apache-2.0

package import Hardware
import Topology

/// `nearside pairs -o json`: the form is an interface (`api/inspection.md`).
package struct PairsDocument: Hashable, Sendable, Codable {
    package var pairs: [Entry]
    package var unpaired: Unpaired

    package struct Entry: Hashable, Sendable, Codable {
        package var name: String
        package var accelerators: [String]
        package var nics: [String]
        package var links: [Link]
        package var basis: String
        package var rail: Int
        package var numaNode: Int?
    }

    package struct Link: Hashable, Sendable, Codable {
        package var accelerator: String
        package var nic: String
        package var path: String
        package var gbps: Double?
    }

    package struct Unpaired: Hashable, Sendable, Codable {
        package var accelerators: [String]
        package var nics: [String]
    }

    package init(_ machine: Machine) {
        let pairing = Pairing(machine)
        pairs = pairing.pairs.map { pair in
            Entry(
                name: pair.name, accelerators: pair.accelerators.map(\.address), nics: pair.nics.map(\.address),
                links: pair.links.map {
                    Link(
                        accelerator: $0.accelerator, nic: $0.nic, path: $0.path.pathClass.name,
                        gbps: $0.gbps.map { ($0 * 10).rounded() / 10 })
                },
                basis: pair.basis.rawValue, rail: pair.rail, numaNode: pair.numaNode)
        }
        unpaired = Unpaired(
            accelerators: pairing.unpairedAccelerators.map(\.address), nics: pairing.unpairedNICs.map(\.address))
    }

    package var text: String {
        guard !pairs.isEmpty else {
            let missing = unpaired.accelerators.isEmpty ? "accelerators" : "fabric NICs"
            return "no pairs: this machine has no \(missing)\n"
        }
        var table = TextTable(["PAIR", "RAIL", "NUMA", "ACCELERATORS", "NICS", "PATH", "Gb/s", "BASIS"])
        for pair in pairs {
            let paths = Set(pair.links.map(\.path)).sorted().joined(separator: ",")
            let slowest = pair.links.compactMap(\.gbps).min().map { String(Int($0)) } ?? "?"
            table.add([
                pair.name, String(pair.rail), pair.numaNode.map(String.init) ?? "?",
                pair.accelerators.joined(separator: " "), pair.nics.joined(separator: " "), paths, slowest, pair.basis,
            ])
        }
        var text = table.text
        if !unpaired.accelerators.isEmpty { text += "without a NIC: \(unpaired.accelerators.joined(separator: " "))\n" }
        if !unpaired.nics.isEmpty { text += "without an accelerator: \(unpaired.nics.joined(separator: " "))\n" }
        return text
    }
}
