// SPDX-License-Identifier: Apache-2.0

/// The settings of a virtual function on its physical function (IFLA_VFINFO_LIST).
package struct VirtualFunction: Hashable, Sendable, Codable {
    package var number: UInt32
    package var hardwareAddress: HardwareAddress?
    package var vlan: UInt32
    package var isTrusted: Bool?
    package var checksSpoofing: Bool?
    /// Mb/s; 0 means no limit.
    package var minimalRate: UInt32
    package var maximalRate: UInt32
    /// The priority in VLAN tags, and the link state (linux/if_link.h, IFLA_VF_LINK_STATE_*). Recorded only for virtual functions whose
    /// physical function moves into a pod.
    package var vlanPriority: UInt32?
    package var linkState: UInt32?

    package init(number: UInt32) {
        self.number = number
        vlan = 0
        minimalRate = 0
        maximalRate = 0
    }
}
