// SPDX-License-Identifier: Apache-2.0

/// A numeric setting of a driver: queues (ethtool -L), ring sizes (-G), interrupt coalescing (-C), pause frames (-A), forward error
/// correction (--set-fec), Wake-on-LAN (-s wol).
package struct DriverParameter: Hashable, Sendable, Codable {
    /// The index in `Ethtool.parameterLists`.
    package var list: Int
    /// The attribute's type in that list's messages, which is the same for reading and setting.
    package var type: UInt16
    package var value: [UInt8]

    /// The first list that older releases do not support.
    package static let firstNewerList = 4

    package init(list: Int, type: UInt16, value: [UInt8]) {
        self.list = list
        self.type = type
        self.value = value
    }
}
