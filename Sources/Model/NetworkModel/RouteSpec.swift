// SPDX-License-Identifier: Apache-2.0

/// A route of an interface in a pod, in a claim, a plan or a DHCP lease. ``Route`` is the resulting entry of the kernel.
package struct RouteSpec: Hashable, Sendable, Codable {
    package var destination: IPPrefix
    /// Nil for a destination on the link.
    package var gateway: IPAddress?
    package var source: IPAddress?
    /// Nil for the main table, or the table of the VRF.
    package var table: UInt32?
    package var metric: UInt32?
    package var mtu: UInt32?
    /// True if the gateway is on the link although no address shows it.
    package var isOnLink: Bool?

    package init(destination: IPPrefix, gateway: IPAddress? = nil, source: IPAddress? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
    }
}

/// A permanent neighbour of an interface in a pod. ``Neighbour`` is the resulting entry of the kernel.
package struct NeighbourSpec: Hashable, Sendable, Codable {
    package var address: IPAddress
    package var hardwareAddress: HardwareAddress

    package init(address: IPAddress, hardwareAddress: HardwareAddress) {
        self.address = address
        self.hardwareAddress = hardwareAddress
    }
}
