// SPDX-License-Identifier: Apache-2.0

package import ClaimPlanning
package import Hardware
package import ResourceAPI
package import Topology

/// The devices of this node in the latest observation.
package struct PublishedDevices: Sendable {
    /// Devices by their names in slices.
    package var devices: [String: Device] = [:]
    /// Names of member devices, by the name of their pair or set.
    package var groups: [String: [String]] = [:]
    /// Nil before the first observation.
    package var topology: MachineTopology?
    /// NICs whose interface is missing, by the name of the device. They cannot be prepared.
    package var missingInterfaces: [String: MissingInterface] = [:]
    /// Published attributes, by the name of the device.
    package var attributes: [String: [String: DeviceAttribute]] = [:]

    package init() {}

    package init(
        devices: [String: Device], groups: [String: [String]], topology: MachineTopology,
        missingInterfaces: [String: MissingInterface] = [:], attributes: [String: [String: DeviceAttribute]]
    ) {
        self.devices = devices
        self.groups = groups
        self.topology = topology
        self.missingInterfaces = missingInterfaces
        self.attributes = attributes
    }
}
