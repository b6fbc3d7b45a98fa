// SPDX-License-Identifier: Apache-2.0

/// A permanent entry of the neighbour table (RTM_NEWNEIGH, NUD_PERMANENT).
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

/// Parameters of an interface's neighbour table that differ from the namespace's defaults (RTM_GETNEIGHTBL).
package struct NeighbourSettings: Hashable, Sendable, Codable {
    /// `arp_cache` or `ndisc_cache`.
    package var table: String
    /// The settable NDTPA_ attributes (linux/neighbour.h).
    package var parameters: [UInt8]

    package init(table: String, parameters: [UInt8]) {
        self.table = table
        self.parameters = parameters
    }
}
