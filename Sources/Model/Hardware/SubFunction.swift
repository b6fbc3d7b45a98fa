// SPDX-License-Identifier: Apache-2.0

/// A part of a physical function with its own interfaces and without a PCI address: a device on the kernel's auxiliary bus
/// (Documentation/networking/devlink/devlink-port.rst).
package struct SubFunction: Hashable, Sendable, Codable {
    /// Name on the auxiliary bus: `mlx5_core.sf.2`. Its number is not stable over reboots.
    package var name: String
    /// Number from the creation of the sub-function, which is stable.
    package var number: Int?
    package var netdevs: [Netdev]
    package var rdmaDevices: [RDMADevice]

    package init(name: String, number: Int? = nil, netdevs: [Netdev] = [], rdmaDevices: [RDMADevice] = []) {
        self.name = name
        self.number = number
        self.netdevs = netdevs
        self.rdmaDevices = rdmaDevices
    }

    private enum CodingKeys: String, CodingKey {
        case name, number, netdevs, rdmaDevices
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        number = try values.decodeIfPresent(Int.self, forKey: .number)
        netdevs = try values.list(.netdevs)
        rdmaDevices = try values.list(.rdmaDevices)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        try values.encodeIfPresent(number, forKey: .number)
        try values.encode(list: netdevs, forKey: .netdevs)
        try values.encode(list: rdmaDevices, forKey: .rdmaDevices)
    }
}
