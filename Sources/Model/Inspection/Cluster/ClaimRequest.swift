// SPDX-License-Identifier: Apache-2.0

import Hardware
package import Primitives
package import ResourceAPI
package import Topology

/// A request for accelerators with their NICs on one node: the options of `nearside claim`.
package struct ClaimRequest: Hashable, Sendable {
    /// The placement on NUMA nodes: `required` puts all on one node.
    package enum Together: String, Hashable, Sendable, CaseIterable {
        case required, preferred, any
    }

    package var name = "accelerators"
    package var driver = "dra.nearside"
    package var accelerators = 1
    package var together = Together.preferred
    /// Rails of the pairs; empty for any.
    package var rails: [Int] = []

    package init() {}

    /// Parses `0-3` and `0,2,4-5`.
    package static func rails(_ text: String) throws(InputError) -> [Int] {
        var rails: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard (1...2).contains(ends.count), let first = ends.first ?? nil, let last = ends.last ?? nil, first >= 0, last < 1024,
                first <= last
            else { throw InputError(.malformed, "\"\(part)\"", "neither a rail nor a range of rails such as 0-3") }
            rails.formUnion(first...last)
        }
        return rails.sorted()
    }
}

/// The capabilities of a cluster or machine for requests: size of pairs, API version, and the form of requests for pairs.
package struct ClusterCapabilities: Hashable, Sendable {
    /// The form of a request for a pair.
    package enum Form: Hashable, Sendable {
        /// A device that represents the whole pair.
        case pairs
        /// A constraint on the attribute `pair`: this driver publishes all devices, and the cluster has no shared counters.
        case constraints
        /// A constraint on an attribute that the vendor's driver of the accelerators also publishes.
        case vendor(deviceClass: String, attribute: String)
    }

    package var form = Form.pairs
    package var version = ResourceAPIVersion.v1
    package var acceleratorsPerPair = 1
    package var nicsPerPair = 1
    /// Warnings for the user, one line each.
    package var warnings: [String] = []

    package init() {}

    /// Sizes of the groups of AWS's Neuron driver.
    static let neuronGroups = [1, 4, 8, 16]
    package static let neuronClass = "neuron.aws.com"

    /// Reads the size of pairs from a machine, and selects the attribute that matches NICs with another driver's accelerators.
    package mutating func inspect(_ topology: MachineTopology) {
        let pairs = topology.pairing.pairs
        guard let first = pairs.first else {
            warnings.append("\(topology.machine.name ?? "the machine") has no pairs")
            return
        }
        acceleratorsPerPair = pairs.map(\.accelerators.count).max() ?? first.accelerators.count
        nicsPerPair = pairs.map(\.nics.count).min() ?? first.nics.count
        if Set(pairs.map { [$0.accelerators.count, $0.nics.count] }).count > 1 {
            warnings.append("the pairs of this machine have different sizes")
        }
        guard case .vendor(let deviceClass, _) = form, deviceClass != Self.neuronClass else { return }
        // An attribute matches an accelerator with its own NICs if each of its values belongs to one pair.
        let attributes: [(name: String, value: (Device) -> String?)] = [
            ("resource.kubernetes.io/pcieRoot", { $0.function?.pcieRoot }),
            ("resource.kubernetes.io/numaNode", { $0.numaNode.map { String($0) } }),
        ]
        for (name, value) in attributes {
            let values = pairs.map { Set($0.members.map(value)) }
            guard values.allSatisfy({ $0.count == 1 && $0 != [nil] }) else { continue }
            form = .vendor(deviceClass: deviceClass, attribute: name)
            if Set(values).count < pairs.count {
                warnings.append("\(name) is the same for several pairs here: the choice among their NICs is arbitrary")
            }
            return
        }
        warnings.append("no attribute of \(deviceClass) matches accelerators with their NICs on this machine")
    }
}
