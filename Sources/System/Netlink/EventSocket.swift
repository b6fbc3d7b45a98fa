// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import Linux
package import NetworkModel

/// Announcements of the kernel: changes of links, addresses, routes and rules, and of devices.
///
/// An event says only that something changed. The receiver reads the complete state again, so that a lost message (ENOBUFS) is another
/// reason to read.
package struct EventSocket: Sendable {
    /// Becomes readable after a change.
    package let descriptor: Descriptor

    /// Announces links, addresses, routes, rules and next hops of the calling thread's namespace.
    package static func routing() throws(SystemError) -> EventSocket {
        let groups = [
            RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
            RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP,
        ]
        return try EventSocket(
            family: NETLINK_ROUTE, groups: groups.reduce(0) { $0 | UInt32(1) << (UInt32($1.rawValue) - 1) })
    }

    /// Announces links of the calling thread's namespace.
    package static func links() throws(SystemError) -> EventSocket {
        try EventSocket(family: NETLINK_ROUTE, groups: UInt32(1) << (UInt32(RTNLGRP_LINK.rawValue) - 1))
    }

    /// Announces devices that are added, removed and bound (the kernel's uevents, group 1).
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

    /// Reads all pending events.
    ///
    /// - Returns: true if any datagram was relevant. Dropped events count as relevant.
    package func drain(_ isRelevant: (ArraySlice<UInt8>) -> Bool) -> Bool {
        let size = 32768
        var buffer = [UInt8](repeating: 0, count: size)
        var anyRelevant = false
        // Bounded for a flood: the descriptor stays readable.
        for _ in 0..<1024 {
            // SAFETY: the call writes no more than the size.
            let count = unsafe recv(descriptor.raw, &buffer, size, Int32(MSG_TRUNC))
            if count > buffer.count {
                // A truncated message may hold a relevant event.
                anyRelevant = true
            } else if count >= 0 {
                if isRelevant(buffer[..<count]) { anyRelevant = true }
            } else if errno == ENOBUFS {
                // The error clears when it is read; events may follow it.
                anyRelevant = true
            } else if errno != EINTR {
                return anyRelevant
            }
        }
        return anyRelevant
    }
}

/// The object of an rtnetlink announcement.
package enum AnnouncedObject: Sendable {
    case link(Link, isGone: Bool)
    case address(InterfaceAddress)
    case route(Route)
    /// Any other object, and any malformed message.
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

/// An event of the kernel's devices: `ACTION@PATH`, then `NAME=VALUE`, each terminated by a zero
/// (lib/kobject_uevent.c).
package enum Uevent {
    /// The value of `SUBSYSTEM`; empty if it is missing.
    package static func subsystem(of datagram: ArraySlice<UInt8>) -> String {
        let name = Array("SUBSYSTEM=".utf8)
        for field in datagram.split(separator: 0) where field.starts(with: name) {
            return String(decoding: field.dropFirst(name.count), as: UTF8.self)
        }
        return ""
    }
}
