// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

/// A next hop object that routes refer to by its number (RTM_NEWNEXTHOP): a single next hop, or a group.
package struct NextHop: Hashable, Sendable {
    package var id: UInt32
    package var interface: Int32?
    package var hasGateway: Bool
    /// Numbers of the members of a group; empty for a single next hop.
    package var members: [UInt32]

    package init(id: UInt32, interface: Int32? = nil, hasGateway: Bool = false, members: [UInt32] = []) {
        self.id = id
        self.interface = interface
        self.hasGateway = hasGateway
        self.members = members
    }

    /// NHA_ID, NHA_GROUP, NHA_OIF and NHA_GATEWAY (linux/nexthop.h).
    private enum Kind {
        static let id = 1
        static let group = 2
        static let oif = 5
        static let gateway = 6
    }

    /// Reads struct nhmsg and NHA attributes (linux/nexthop.h).
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard reader.skip(8), let rest = reader.take(reader.remaining), let attributes = Attribute.list(rest),
            let id: UInt32 = attributes[type: Kind.id]?.integer()
        else { return nil }
        self.id = id
        interface = attributes[type: Kind.oif]?.integer()
        hasGateway = attributes[type: Kind.gateway] != nil
        members = []
        if let group = attributes[type: Kind.group] {
            // struct nexthop_grp: number, weight, reserved.
            var entries = ByteReader(group.value)
            while let member = entries.integer(UInt32.self), entries.skip(4) { members.append(member) }
        }
    }
}

extension Route {
    /// The number of the route's next hop object (RTA_NH_ID); nil for a route with its own next hop.
    package var nextHopID: UInt32? { attribute(Int(RTA_NH_ID.rawValue))?.integer() }

    /// True for an IPv4 route whose gateway has an IPv6 address (RTA_VIA).
    package var hasForeignGateway: Bool { attribute(Int(RTA_VIA.rawValue)) != nil }

    private func attribute(_ type: Int) -> Attribute? { others.isEmpty ? nil : Attribute.list(others[...])?[type: type] }
}

extension NetlinkSocket {
    /// `ip nexthop`, by number. Empty if the kernel lacks such objects (before 5.3).
    package func nextHops() throws(NetlinkError) -> [UInt32: NextHop] {
        let messages: [Message]
        do throws(NetlinkError) {
            // struct nhmsg with family 0.
            messages = try dump("list next hops", type: RTM_GETNEXTHOP, payload: [UInt8](repeating: 0, count: 8))
        } catch {
            if error.code == EOPNOTSUPP { return [:] }
            throw error
        }
        return Dictionary(messages.compactMap(NextHop.init).map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
    }

    /// `ip route get fibmatch ADDRESS`: the kernel's route to an address, with all its next hops; nil without a route,
    /// or if the address is the host's own.
    package func route(to address: IPAddress) throws(NetlinkError) -> Route? {
        var first: NetlinkError?
        // Kernels that do not support the flag refuse it; without the flag they report one of the next hops.
        for flags in [UInt32(RTM_F_FIB_MATCH), 0] {
            var builder = MessageBuilder()
            builder.integer(UInt8(address.isV6 ? AF_INET6 : AF_INET))
            builder.integer(UInt8(truncatingIfNeeded: address.bitCount))
            for _ in 0..<6 { builder.integer(UInt8(0)) }
            builder.integer(flags)
            builder.attribute(Int(RTA_DST.rawValue), address.bytes)
            do throws(NetlinkError) {
                let route = Route(try get("look up the route to \(address)", type: RTM_GETROUTE, payload: builder.body))
                return route.flatMap { Int($0.type) == RTN_UNICAST ? $0 : nil }
            } catch {
                if [ENETUNREACH, EHOSTUNREACH, ENOENT, EACCES].contains(error.code) { return nil }
                first = first ?? error
            }
        }
        if let first { throw first }
        return nil
    }
}
