// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import ResourceAPI
package import Topology

/// The operator's settings for planning.
package struct PlannerOptions: Hashable, Sendable {
    package var driver: String
    /// The pool of this node's devices; nil to accept any pool.
    package var pool: String?
    /// True if containers get a file that describes their devices (KEP-5304).
    package var tellsDevices = false
    /// Privileged settings that claims may have on this node, by ``PrivilegedSetting/path``.
    package var allowedToClaims: Set<String> = []

    package init(driver: String) { self.driver = driver }
}

/// The inputs of a plan besides its claim and the plans of other claims.
package struct PlannerInput: Sendable {
    package var options: PlannerOptions
    /// Devices of this node by their name in slices.
    package var devices: [String: Device]
    /// Names of member devices, by the name of their pair or set.
    package var groups: [String: [String]]
    /// NICs whose interface is missing, by the name of the device. They cannot be prepared.
    package var missingInterfaces: [String: MissingInterface] = [:]
    package var facts = PlanningFacts()
    /// The distances of devices, for the files for workloads.
    package var topology: MachineTopology?
    /// Published attributes, by the name of the device.
    package var attributes: [String: [String: DeviceAttribute]] = [:]

    package init(_ options: PlannerOptions, devices: [String: Device], groups: [String: [String]] = [:]) {
        self.options = options
        self.devices = devices
        self.groups = groups
    }

    package var driver: String { options.driver }

    /// The interface of a virtual function's physical function; nil for other devices.
    func physicalFunction(of device: Device) -> Netdev? {
        guard let address = device.function?.physicalFunction else { return nil }
        return devices.values.first { $0.function?.address == address && $0.subFunction == nil }?.netdevs.first
    }
}

/// Facts of the host on which a plan depends. They are read before the plans are locked.
package struct PlanningFacts: Sendable {
    /// CDI names by vendors' tools for accelerators, by the name of the device.
    package var vendorNames: [String: String] = [:]
    /// Facts reported by drivers, by the interface's name. Settings of interfaces without an entry are not checked.
    package var interfaces: [String: InterfaceFacts] = [:]
    /// True if an RDMA device is visible in one namespace only, and has to move into the pod.
    package var movesRDMA = false

    package init(vendorNames: [String: String] = [:], interfaces: [String: InterfaceFacts] = [:], movesRDMA: Bool = false) {
        self.vendorNames = vendorNames
        self.interfaces = interfaces
        self.movesRDMA = movesRDMA
    }
}

/// The settings of an interface's driver, as ethtool reports them.
package struct InterfaceFacts: Hashable, Sendable {
    /// Nil if the driver was not queried, or does not report its features.
    package var features: Set<String>?
    package var privateFlags: Set<String>?

    package init(features: Set<String>? = nil, privateFlags: Set<String>? = nil) {
        self.features = features
        self.privateFlags = privateFlags
    }
}
