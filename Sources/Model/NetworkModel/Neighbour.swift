// SPDX-License-Identifier: Apache-2.0

/// An entry of the neighbour table that was set permanently (RTM_NEWNEIGH, NUD_PERMANENT).
package struct Neighbour: Hashable, Sendable, Codable {
    package var index: Int32
    package var address: IPAddress
    package var hardwareAddress: HardwareAddress?
    /// NTF_ flags (linux/neighbour.h).
    package var flags: UInt8

    package init(index: Int32, address: IPAddress, hardwareAddress: HardwareAddress?, flags: UInt8 = 0) {
        self.index = index
        self.address = address
        self.hardwareAddress = hardwareAddress
        self.flags = flags
    }
}

/// How neighbours are kept on an interface, where that is not the default of its namespace (RTM_GETNEIGHTBL).
package struct NeighbourSettings: Hashable, Sendable, Codable {
    /// `arp_cache` or `ndisc_cache`.
    package var table: String
    /// NDTPA_ attributes that can be set (linux/neighbour.h).
    package var parameters: [UInt8]

    package init(table: String, parameters: [UInt8]) {
        self.table = table
        self.parameters = parameters
    }
}
