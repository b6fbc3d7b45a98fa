// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Primitives
package import Topology

/// The operator's choice of devices that are published, and the name of the driver.
package struct PublishingPolicy: Sendable {
    /// Name of the driver, which is the domain of its attributes.
    package var driver: String
    /// Kinds of accelerators that this driver publishes; drivers of their vendors publish the others.
    package var owned: Set<String>
    /// Prefixes of names of virtual interfaces that may be given to pods.
    package var virtualNICs: [String]
    /// Effects of device conditions on claims.
    package var taints: TaintPolicy
    /// Number of claims that can share an RDMA NIC without an interface; nil for one, as for all other devices.
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

    /// Parses a list such as `gpus,neurons`.
    package static func owned(_ text: String) throws(InputError) -> Set<String> {
        let known = Set(Catalog.Family.allCases.map(\.policyName))
        let names = text.split(separator: ",").map(String.init)
        for name in names where !known.contains(name) {
            throw InputError(
                .unknown, "\"\(name)\"", "not a kind of accelerator", advice: "kinds are \(known.sorted().joined(separator: ", "))")
        }
        return Set(names)
    }

    /// Returns true for a device that is published: its kind is selected and it is not withheld (``MachineTopology``).
    package func publishes(_ device: Device, of topology: MachineTopology) -> Bool {
        selects(device) && topology.withheld(device) == nil
    }

    /// Returns true for a device of a selected kind: an owned accelerator, a NIC on a bus, or a virtual NIC with a configured prefix.
    package func selects(_ device: Device) -> Bool {
        switch device.kind {
        case .accelerator: device.family.map { owned.contains($0.policyName) } ?? false
        case .nic: device.function != nil || virtualNICs.contains { device.address.hasPrefix($0) }
        }
    }

    /// Returns true if several claims can have the device at once. A NIC without an interface, such as EFA, consists of device nodes, which
    /// many processes can open; an interface is in one network namespace at a time.
    package func isShared(_ device: Device) -> Bool {
        shares.map { $0 > 1 } == true && device.kind == .nic && !device.rdmaDevices.isEmpty && device.netdevs.isEmpty
    }
}
