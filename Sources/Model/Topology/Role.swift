// SPDX-License-Identifier: Apache-2.0

/// The purpose of a device.
package enum Role: String, Sendable, Codable {
    /// A NIC that takes part in pairing.
    case fabric
    /// A NIC with RDMA that is not for traffic between accelerators.
    case storage
    /// A NIC that manages the machine, such as its NVLink switches.
    case management
    /// A NIC that the host itself uses: never published, never moved.
    case uplink
    /// Any other NIC.
    case general
    /// An accelerator.
    case compute
}

/// A role, and the reason for it.
package struct RoleReason: Hashable, Sendable {
    package var role: Role
    package var reason: String

    package init(role: Role, reason: String) {
        self.role = role
        self.reason = reason
    }
}
