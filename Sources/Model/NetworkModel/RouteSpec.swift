// SPDX-License-Identifier: Apache-2.0

/// A route of an interface in a pod, as a claim asks for it, a plan has it, or a DHCP server gives it. ``Route`` is the kernel's entry that is made of it.
package struct RouteSpec: Hashable, Sendable, Codable {
    package var destination: IPPrefix
    /// Nil for a destination on the link itself.
    package var gateway: IPAddress?
    package var source: IPAddress?
    /// Nil is the main table, or that of the VRF.
    package var table: UInt32?
    package var metric: UInt32?
    package var mtu: UInt32?
    /// The gateway is on the link, whatever the addresses say.
    package var isOnLink: Bool?

    package init(destination: IPPrefix, gateway: IPAddress? = nil, source: IPAddress? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
    }
}

/// A permanent neighbour of an interface in a pod. ``Neighbour`` is the kernel's entry that is made of it.
package struct NeighbourSpec: Hashable, Sendable, Codable {
    package var address: IPAddress
    package var hardwareAddress: HardwareAddress

    package init(address: IPAddress, hardwareAddress: HardwareAddress) {
        self.address = address
        self.hardwareAddress = hardwareAddress
    }
}
