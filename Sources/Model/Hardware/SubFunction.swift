// SPDX-License-Identifier: Apache-2.0

/// A part of a physical function with its own interfaces and without a PCI address: a device on the kernel's auxiliary bus
/// (Documentation/networking/devlink/devlink-port.rst).
package struct SubFunction: Hashable, Sendable, Codable {
    /// Name on the auxiliary bus: `mlx5_core.sf.2`. Its number is not stable over reboots.
    package var name: String
    /// Number from the creation of the sub-function, which is stable.
    package var number: Int?
    @SparseList package var netdevs: [Netdev]
    @SparseList package var rdmaDevices: [RDMADevice]

    package init(name: String, number: Int? = nil, netdevs: [Netdev] = [], rdmaDevices: [RDMADevice] = []) {
        self.name = name
        self.number = number
        self.netdevs = netdevs
        self.rdmaDevices = rdmaDevices
    }
}
