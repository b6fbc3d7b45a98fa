// SPDX-License-Identifier: Apache-2.0

import Hardware
package import ResourceAPI
package import Topology

/// What somebody wants of a node: accelerators, each with its NICs.
package struct ClaimRequest: Hashable, Sendable {
    /// Whether all of them have to be on one NUMA node.
    package enum Together: String, Hashable, Sendable, CaseIterable {
        case required, preferred, any
    }

    package var name = "accelerators"
    package var driver = "dra.nearside"
    package var accelerators = 1
    package var together = Together.preferred
    /// Empty for any.
    package var rails: [Int] = []

    package init() {}

    /// A wish that cannot be read: what, and what would be right.
    package struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String

        package init(description: String) { self.description = description }
    }

    /// Reads `0-3` and `0,2,4-5`.
    package static func rails(_ text: String) throws(Malformed) -> [Int] {
        var rails: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, last < 1024,
                first <= last
            else { throw Malformed(description: "\"\(part)\" is no rail and no range of rails such as 0-3") }
            rails.formUnion(first...last)
        }
        return rails.sorted()
    }
}

/// What there is to ask for: how a cluster, or a machine, puts accelerators and NICs together.
package struct ClusterCapabilities: Hashable, Sendable {
    /// How a pair can be asked for.
    package enum Form: Hashable, Sendable {
        /// By a device that is the whole pair.
        case pairs
        /// By a constraint on the attribute `pair`: all are this driver's, and the cluster has no shared counters.
        case constraints
        /// By a constraint on an attribute that the accelerators' own driver has too.
        case vendor(deviceClass: String, attribute: String)
    }

    package var form = Form.pairs
    package var version = ResourceAPIVersion.v1
    package var acceleratorsPerPair = 1
    package var nicsPerPair = 1
    /// What a reader has to know.
    package var remarks: [String] = []

    package init() {}

    /// Where AWS's Neuron driver has groups of that many devices.
    static let neuronGroups = [1, 4, 8, 16]
    package static let neuronClass = "neuron.aws.com"

    /// Takes from a machine how large its pairs are, and by which attribute another driver's accelerators can be told the NICs of.
    package mutating func look(at topology: MachineTopology) {
        let pairs = topology.pairing.pairs
        guard let first = pairs.first else {
            remarks.append("\(topology.machine.name ?? "the machine") has no pairs")
            return
        }
        acceleratorsPerPair = pairs.map(\.accelerators.count).max() ?? first.accelerators.count
        nicsPerPair = pairs.map(\.nics.count).min() ?? first.nics.count
        if Set(pairs.map { [$0.accelerators.count, $0.nics.count] }).count > 1 {
            remarks.append("the pairs of this machine are not alike")
        }
        guard case .vendor(let deviceClass, _) = form, deviceClass != Self.neuronClass else { return }
        // An attribute says which NICs are an accelerator's where each of its values stands for one pair.
        let attributes: [(name: String, value: (Device) -> String?)] = [
            ("resource.kubernetes.io/pcieRoot", { $0.function?.pcieRoot }),
            ("resource.kubernetes.io/numaNode", { $0.numaNode.map { String($0) } }),
        ]
        for (name, value) in attributes {
            let values = pairs.map { Set($0.members.map(value)) }
            guard values.allSatisfy({ $0.count == 1 && $0 != [nil] }) else { continue }
            form = .vendor(deviceClass: deviceClass, attribute: name)
            if Set(values).count < pairs.count {
                remarks.append("\(name) stands for several pairs at once here: which of their NICs an accelerator gets is chance")
            }
            return
        }
        remarks.append("no attribute that \(deviceClass) has as well tells the NICs of an accelerator on this machine")
    }
}
