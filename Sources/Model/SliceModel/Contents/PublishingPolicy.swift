// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Topology

/// What of a machine is published, and under which driver's name.
package struct PublishingPolicy: Sendable {
    /// Attributes and devices are published under this name.
    package var driver: String
    /// Kinds of accelerators that this driver owns; others are their vendors' drivers'.
    package var owned: Set<String>
    /// Prefixes of names of virtual interfaces that may be given to pods.
    package var virtualNICs: [String]
    /// What becomes of claims when a device is in trouble.
    package var taints: TaintPolicy
    /// How many claims can have an RDMA NIC without an interface at a time; nil for one, as it is with all others.
    package var shares: Int?

    package init(
        driver: String, owned: Set<String> = [], virtualNICs: [String] = [], taints: TaintPolicy = TaintPolicy(), shares: Int? = nil
    ) {
        self.driver = driver
        self.owned = owned
        self.virtualNICs = virtualNICs
        self.taints = taints
        self.shares = shares
    }

    /// A kind that the catalog does not know.
    package struct UnknownFamily: Error, CustomStringConvertible {
        package var name: String
        package var description: String {
            let known = Set(Catalog.Family.allCases.map(\.policyName)).sorted().joined(separator: ", ")
            return "\"\(name)\" is no kind of accelerator; known are \(known)"
        }
    }

    /// Reads a list such as `gpus,neurons`.
    package static func owned(_ text: String) throws(UnknownFamily) -> Set<String> {
        let known = Set(Catalog.Family.allCases.map(\.policyName))
        let names = text.split(separator: ",").map(String.init)
        for name in names where !known.contains(name) { throw UnknownFamily(name: name) }
        return Set(names)
    }

    /// True for a device of this machine that is published: of a kind that is selected, and not withheld (``MachineTopology``).
    package func publishes(_ device: Device, of topology: MachineTopology) -> Bool {
        selects(device) && topology.withheld(device) == nil
    }

    /// True for a device of a kind that this driver publishes: an accelerator it owns, a NIC on a bus, a virtual one with a prefix.
    package func selects(_ device: Device) -> Bool {
        switch device.kind {
        case .accelerator: device.family.map { owned.contains($0.policyName) } ?? false
        case .nic: device.function != nil || virtualNICs.contains { device.address.hasPrefix($0) }
        }
    }

    /// Whether several claims can have the device at once: what a NIC without an interface gives is device nodes, which many
    /// processes can open, as with EFA. An interface is in one network namespace at a time.
    package func isShared(_ device: Device) -> Bool {
        shares.map { $0 > 1 } == true && device.kind == .nic && !device.rdmaDevices.isEmpty && device.netdevs.isEmpty
    }
}
