// SPDX-License-Identifier: Apache-2.0

/// A virtual function as its physical function's driver has it (IFLA_VFINFO_LIST).
package struct VirtualFunction: Hashable, Sendable, Codable {
    package var number: UInt32
    package var hardwareAddress: HardwareAddress?
    package var vlan: UInt32
    package var isTrusted: Bool?
    package var checksSpoofing: Bool?
    /// Mb/s; 0 is no limit.
    package var minimalRate: UInt32
    package var maximalRate: UInt32
    /// Priority in the VLAN's tags, and whether it has a link (linux/if_link.h, IFLA_VF_LINK_STATE_*). Only of functions whose physical one
    /// goes into a pod.
    package var vlanPriority: UInt32?
    package var linkState: UInt32?

    package init(number: UInt32) {
        self.number = number
        vlan = 0
        minimalRate = 0
        maximalRate = 0
    }
}
