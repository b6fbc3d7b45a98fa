// SPDX-License-Identifier: Apache-2.0

/// An address on an interface (RTM_NEWADDR).
package struct InterfaceAddress: Hashable, Sendable, Codable {
    package var index: Int32
    /// The interface's own address with its prefix length.
    package var prefix: IPPrefix
    package var scope: UInt8
    /// IFA_F_ flags (linux/if_addr.h).
    package var flags: UInt32
    /// The address of the other end, on point-to-point links.
    package var peer: IPAddress?
    package var broadcast: IPAddress?
    package var label: String?
    /// Remaining seconds; nil means infinite.
    package var preferredLifetime: UInt32?
    package var validLifetime: UInt32?

    package init(index: Int32, prefix: IPPrefix, scope: UInt8 = 0, flags: UInt32 = 0) {
        self.index = index
        self.prefix = prefix
        self.scope = scope
        self.flags = flags
    }
}
