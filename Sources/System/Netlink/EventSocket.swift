// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import Linux
package import NetworkModel

/// Announcements of the kernel: changes of links, addresses, routes and rules, and of devices.
///
/// An event says only that something changed. The receiver reads the whole anew, so a lost message (ENOBUFS) is just another
/// reason to read.
package struct EventSocket: Sendable {
    /// Becomes readable when something changed.
    package let descriptor: Descriptor

    /// Links, addresses, routes, rules and next hops of the namespace of the calling thread.
    package static func routing() throws(SystemError) -> EventSocket {
        let groups = [
            RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
            RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP,
        ]
        return try EventSocket(
            family: NETLINK_ROUTE, groups: groups.reduce(0) { $0 | UInt32(1) << (UInt32($1.rawValue) - 1) })
    }

    /// Links of the namespace of the calling thread.
    package static func links() throws(SystemError) -> EventSocket {
        try EventSocket(family: NETLINK_ROUTE, groups: UInt32(1) << (UInt32(RTNLGRP_LINK.rawValue) - 1))
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
    ///
    /// - Returns: whether any datagram was relevant. What the kernel had to drop counts as relevant.
    package func drain(_ isRelevant: (ArraySlice<UInt8>) -> Bool) -> Bool {
        let size = 32768
        var buffer = [UInt8](repeating: 0, count: size)
        var anyRelevant = false
        // In a flood the rest waits: the descriptor can still be read then.
        for _ in 0..<1024 {
            // SAFETY: the call writes no more than the size.
            let count = unsafe recv(descriptor.raw, &buffer, size, Int32(MSG_TRUNC))
            if count > buffer.count {
                // A truncated message may hold a relevant event.
                anyRelevant = true
            } else if count >= 0 {
                if isRelevant(buffer[..<count]) { anyRelevant = true }
            } else if errno == ENOBUFS {
                // It clears itself by being read; there may be more behind it.
                anyRelevant = true
            } else if errno != EINTR {
                return anyRelevant
            }
        }
        return anyRelevant
    }
}

/// The object of an announcement of rtnetlink.
package enum AnnouncedObject: Sendable {
    case link(Link, isGone: Bool)
    case address(InterfaceAddress)
    case route(Route)
    /// Anything else, and anything that cannot be read.
    case other

    package init(_ message: Message) {
        switch Int(message.type) {
        case RTM_NEWLINK, RTM_DELLINK:
            self = Link(message).map { .link($0, isGone: Int(message.type) == RTM_DELLINK) } ?? .other
        case RTM_NEWADDR, RTM_DELADDR: self = InterfaceAddress(message).map(AnnouncedObject.address) ?? .other
        case RTM_NEWROUTE, RTM_DELROUTE: self = Route(message).map(AnnouncedObject.route) ?? .other
        default: self = .other
        }
    }
}

/// An event of the kernel's devices: `ACTION@PATH`, then `NAME=VALUE`, each with a zero behind it
/// (lib/kobject_uevent.c).
package enum Uevent {
    /// The value of `SUBSYSTEM`; empty when there is none.
    package static func subsystem(of datagram: ArraySlice<UInt8>) -> String {
        let name = Array("SUBSYSTEM=".utf8)
        for field in datagram.split(separator: 0) where field.starts(with: name) {
            return String(decoding: field.dropFirst(name.count), as: UTF8.self)
        }
        return ""
    }
}
