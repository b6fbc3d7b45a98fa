// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import Linux

/// What the kernel announces by itself: changes of links, addresses and routes, and of devices.
///
/// An event says only that something changed. Whoever hears it looks at the whole anew, so a lost
/// message (ENOBUFS) is just another reason to look.
package struct EventSocket: Sendable {
    /// Becomes readable when something changed.
    package let descriptor: Descriptor

    /// Links, addresses and routes of the namespace of the calling thread.
    package static func routing() throws(SystemError) -> EventSocket {
        let groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE]
        return try EventSocket(
            family: NETLINK_ROUTE, groups: groups.reduce(0) { $0 | UInt32(1) << (UInt32($1.rawValue) - 1) })
    }

    /// Devices that come, go and bind (the kernel's own uevents, group 1).
    package static func devices() throws(SystemError) -> EventSocket {
        try EventSocket(family: NETLINK_KOBJECT_UEVENT, groups: 1)
    }

    private init(family: Int32, groups: UInt32) throws(SystemError) {
        let descriptor = Descriptor(
            owning: try checked("open", "event socket") {
                socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), family)
            })
        try checked("bind", "event socket") { CLinux_bind_netlink(descriptor.raw, groups) }
        self.descriptor = descriptor
    }

    /// Takes all that waits, so that the descriptor is quiet until the next change.
    package func drain() {
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = buffer.withUnsafeMutableBytes { recv(descriptor.raw, $0.baseAddress, $0.count, 0) }
            // ENOBUFS clears itself by being read; there may be more behind it.
            if count < 0, errno != ENOBUFS, errno != EINTR { return }
        }
    }
}
