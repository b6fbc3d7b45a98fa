// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import ResourceAPI
package import Topology

/// The operator's choices of how claims are planned.
package struct PlannerOptions: Hashable, Sendable {
    package var driver: String
    /// The pool of this node's devices; nil when any will do.
    package var pool: String?
    /// True when containers get a file that describes their devices (KEP-5304).
    package var tellsDevices = false
    /// Privileged settings that claims may set on this node, by ``PrivilegedSetting/path``.
    package var allowedToClaims: Set<String> = []

    package init(driver: String) { self.driver = driver }
}

/// Everything that a plan is made of besides its claim and the plans of other claims.
package struct PlannerInput: Sendable {
    package var options: PlannerOptions
    /// Devices of this node by their name in slices.
    package var devices: [String: Device]
    /// Names of the members' devices, by that of a pair or set of pairs.
    package var groups: [String: [String]]
    /// NICs that are not given out without an interface, by the name of the device.
    package var missingInterfaces: [String: MissingInterface] = [:]
    package var facts = PlanningFacts()
    /// The distances of devices, for the files that describe them to workloads.
    package var topology: MachineTopology?
    /// Published attributes, by the name of the device.
    package var attributes: [String: [String: DeviceAttribute]] = [:]

    package init(_ options: PlannerOptions, devices: [String: Device], groups: [String: [String]] = [:]) {
        self.options = options
        self.devices = devices
        self.groups = groups
    }

    package var driver: String { options.driver }

    /// The interface of the physical function that a virtual one belongs to; nil for other devices.
    func physicalFunction(of device: Device) -> Netdev? {
        guard let address = device.function?.physicalFunction else { return nil }
        return devices.values.first { $0.function?.address == address && $0.subFunction == nil }?.netdevs.first
    }
}

/// Facts of the host that a plan depends on, read before the lock of the plans is taken.
package struct PlanningFacts: Sendable {
    /// Names that vendors' own tools gave to accelerators, by the name of the device.
    package var vendorNames: [String: String] = [:]
    /// Facts that drivers report, by the interface's name; settings of an interface without an entry are not checked.
    package var interfaces: [String: InterfaceFacts] = [:]
    /// True when an RDMA device is in one namespace only, and so has to go into the pod's.
    package var movesRDMA = false

    package init(vendorNames: [String: String] = [:], interfaces: [String: InterfaceFacts] = [:], movesRDMA: Bool = false) {
        self.vendorNames = vendorNames
        self.interfaces = interfaces
        self.movesRDMA = movesRDMA
    }
}

/// The settings of an interface's driver, as ethtool reports them.
package struct InterfaceFacts: Hashable, Sendable {
    /// Nil when the driver was not asked or does not say.
    package var features: Set<String>?
    package var privateFlags: Set<String>?

    package init(features: Set<String>? = nil, privateFlags: Set<String>? = nil) {
        self.features = features
        self.privateFlags = privateFlags
    }
}
