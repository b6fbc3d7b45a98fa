// SPDX-License-Identifier: Apache-2.0

/// An interface for a pod that is stacked on the device's, which stays on the host.
package struct ChildInterface: Hashable, Sendable, Codable {
    /// The rtnetlink kind of the interface.
    package enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case macvlan, ipvlan, vlan

        /// Modes and their numbers in the kernel (linux/if_link.h).
        package var modes: [(name: String, number: UInt32)] {
            switch self {
            case .macvlan: [("private", 1), ("vepa", 2), ("bridge", 4), ("passthru", 8)]
            case .ipvlan: [("l2", 0), ("l3", 1), ("l3s", 2)]
            case .vlan: []
            }
        }
    }

    package var kind: Kind
    /// MACVLAN_MODE_ or IPVLAN_MODE_; nil for the kernel's default.
    package var mode: UInt32?
    /// The number of a VLAN.
    package var vlan: UInt16?

    package init(kind: Kind, mode: UInt32? = nil, vlan: UInt16? = nil) {
        self.kind = kind
        self.mode = mode
        self.vlan = vlan
    }
}
