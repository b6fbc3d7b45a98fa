// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

extension Route {
    private static let known = [RTA_DST, RTA_GATEWAY, RTA_PREFSRC, RTA_OIF, RTA_TABLE, RTA_PRIORITY].map { UInt16($0.rawValue) }
    /// State of the kernel: ages and counters.
    private static let notes = [RTA_CACHEINFO, RTA_MFC_STATS, RTA_EXPIRES].map { UInt16($0.rawValue) }

    /// Reads struct rtmsg and RTA attributes (linux/rtnetlink.h).
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard let family = reader.integer(UInt8.self), let length = reader.integer(UInt8.self),
            reader.skip(1), let tos = reader.integer(UInt8.self), let table = reader.integer(UInt8.self),
            let routeProtocol = reader.integer(UInt8.self), let scope = reader.integer(UInt8.self),
            let type = reader.integer(UInt8.self), let flags = reader.integer(UInt32.self),
            let rest = reader.take(reader.remaining), let attributes = Attribute.list(rest)
        else { return nil }
        var destination: IPPrefix?
        if let attribute = attributes[type: Int(RTA_DST.rawValue)] {
            guard let address = IPAddress(bytes: attribute.value), Int(length) <= address.bitCount else { return nil }
            destination = IPPrefix(address: address, length: Int(length))
        }
        self.init(
            destination: destination, isV6: Int32(family) == AF_INET6,
            gateway: attributes[type: Int(RTA_GATEWAY.rawValue)].flatMap { IPAddress(bytes: $0.value) },
            source: attributes[type: Int(RTA_PREFSRC.rawValue)].flatMap { IPAddress(bytes: $0.value) },
            interface: attributes[type: Int(RTA_OIF.rawValue)]?.integer(),
            table: attributes[type: Int(RTA_TABLE.rawValue)]?.integer() ?? UInt32(table), routeProtocol: routeProtocol, scope: scope,
            priority: attributes[type: Int(RTA_PRIORITY.rawValue)]?.integer())
        self.type = type
        // The kernel's state flags of a next hop (dead, link down, offloaded) are not settings.
        self.flags = flags & UInt32(RTNH_F_ONLINK)
        self.tos = tos
        for attribute in attributes where !Self.known.contains(attribute.type) && !Self.notes.contains(attribute.type) {
            others += attribute.bytes
        }
        nextHops = attributes[type: Int(RTA_MULTIPATH.rawValue)].map { Self.interfaces(ofNextHops: $0.value) }
    }

    /// The interfaces in a list of struct rtnexthop: length, flags, hops, index, attributes.
    private static func interfaces(ofNextHops bytes: ArraySlice<UInt8>) -> [Int32] {
        var reader = ByteReader(bytes)
        var interfaces: [Int32] = []
        while let length = reader.integer(UInt16.self), length >= 8, reader.skip(2),
            let interface = reader.integer(Int32.self), reader.skip(min(reader.remaining, (Int(length) - 8 + 3) / 4 * 4))
        {
            interfaces.append(interface)
        }
        return interfaces
    }

    /// struct rtmsg and attributes.
    package func payload() -> [UInt8] {
        var builder = MessageBuilder()
        builder.integer(UInt8(isV6 ? AF_INET6 : AF_INET))
        builder.integer(UInt8(truncatingIfNeeded: destination?.length ?? 0))
        builder.integer(UInt8(0))
        builder.integer(tos)
        builder.integer(table < 256 ? UInt8(table) : UInt8(RT_TABLE_UNSPEC.rawValue))
        builder.integer(routeProtocol)
        builder.integer(scope)
        builder.integer(type)
        builder.integer(flags)
        if let destination { builder.attribute(Int(RTA_DST.rawValue), destination.address.bytes) }
        if let gateway { builder.attribute(Int(RTA_GATEWAY.rawValue), gateway.bytes) }
        if let source { builder.attribute(Int(RTA_PREFSRC.rawValue), source.bytes) }
        if let interface { builder.attribute(Int(RTA_OIF.rawValue), integer: interface) }
        if let priority { builder.attribute(Int(RTA_PRIORITY.rawValue), integer: priority) }
        builder.attribute(Int(RTA_TABLE.rawValue), integer: table)
        builder.raw(others)
        return builder.body
    }

    /// Sets the MTU of the route (RTAX_MTU).
    package mutating func set(mtu: UInt32) {
        var builder = MessageBuilder()
        builder.nested(Int(RTA_METRICS.rawValue)) { $0.attribute(RTAX_MTU, integer: mtu) }
        others += builder.body
    }
}

extension NetlinkSocket {
    /// `ip route show table all [dev INDEX]`, both families: unicast routes over one interface, including multipath routes, or over all.
    /// ENODEV if the interface does not exist.
    ///
    /// - Parameter isWanted: selects the routes to keep, as they arrive.
    package func routes(of index: Int32? = nil, where isWanted: (Route) -> Bool = { _ in true }) throws(NetlinkError) -> [Route] {
        // struct rtmsg with family 0.
        var builder = MessageBuilder([UInt8](repeating: 0, count: 12))
        if let index { builder.attribute(Int(RTA_OIF.rawValue), integer: index) }
        return try dump("list routes", type: RTM_GETROUTE, payload: builder.body) { message in
            // Kernels before 4.20 answer with all routes.
            guard let route = Route(message), Int(route.type) == RTN_UNICAST, index.map(route.interfaces.contains) != false,
                isWanted(route)
            else { return nil }
            return route
        }
    }
}

extension NetlinkRequest {
    /// `ip route replace ...`
    package static func set(_ route: Route) -> NetlinkRequest {
        NetlinkRequest("set route \(route)", type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, payload: route.payload())
    }
}
