// SPDX-License-Identifier: Apache-2.0

/// A number that a driver was told: of queues (ethtool -L), of places in their rings (-G), for how long it gathers interrupts (-C), whether it
/// sends and obeys pause frames (-A), how it corrects errors (--set-fec), and what wakes the machine (-s wol).
package struct DriverParameter: Hashable, Sendable, Codable {
    /// Place in `Ethtool.parameterLists`.
    package var list: Int
    /// The attribute's type in that list's messages; it is the same when it is read and when it is set.
    package var type: UInt16
    package var value: [UInt8]

    /// The first list that releases before did not know.
    package static let firstNewerList = 4

    package init(list: Int, type: UInt16, value: [UInt8]) {
        self.list = list
        self.type = type
        self.value = value
    }
}
