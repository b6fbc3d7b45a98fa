// SPDX-License-Identifier: Apache-2.0

/// A unicast route (RTM_NEWROUTE). Only routes with one next hop can be set and restored directly.
package struct Route: Hashable, Sendable, Codable {
    /// Nil for the default route of its family.
    package var destination: IPPrefix?
    package var isV6: Bool
    package var gateway: IPAddress?
    package var source: IPAddress?
    package var interface: Int32?
    package var table: UInt32
    package var routeProtocol: UInt8
    package var scope: UInt8
    package var type: UInt8
    package var priority: UInt32?
    package var flags: UInt32
    /// Interfaces of a multipath route; nil for all other routes.
    package var nextHops: [Int32]?
    /// Type of service, or traffic class.
    package var tos: UInt8
    /// All other attributes in the kernel's encoding: metrics, next hops, encapsulation.
    package var others: [UInt8]

    /// RT_TABLE_MAIN (linux/rtnetlink.h).
    package static let mainTable: UInt32 = 254

    /// RTN_UNICAST.
    package static let unicast: UInt8 = 1
    /// RTPROT_STATIC: an administrator or a program set the route.
    package static let staticProtocol: UInt8 = 4
    /// RTPROT_REDIRECT, RTPROT_KERNEL and RTPROT_RA: the kernel created the route.
    package static let redirectProtocol: UInt8 = 1
    package static let kernelProtocol: UInt8 = 2
    package static let announcedProtocol: UInt8 = 9

    package init(
        destination: IPPrefix?, isV6: Bool, gateway: IPAddress? = nil, source: IPAddress? = nil,
        interface: Int32?, table: UInt32 = mainTable, routeProtocol: UInt8 = staticProtocol,
        scope: UInt8 = 0, priority: UInt32? = nil
    ) {
        self.destination = destination
        self.isV6 = isV6
        self.gateway = gateway
        self.source = source
        self.interface = interface
        self.table = table
        self.routeProtocol = routeProtocol
        self.scope = scope
        type = Self.unicast
        self.priority = priority
        flags = 0
        tos = 0
        others = []
    }

    /// All interfaces of the route.
    package var interfaces: [Int32] { nextHops ?? (interface.map { [$0] } ?? []) }

    package var isDefault: Bool { destination == nil || destination?.length == 0 }

    /// True if the kernel created the route for an address, a redirect or a router advertisement. Such routes are neither moved nor
    /// restored.
    package var isKernels: Bool { [Self.kernelProtocol, Self.redirectProtocol, Self.announcedProtocol].contains(routeProtocol) }
}

extension Route: CustomStringConvertible {
    package var description: String {
        var text = destination.map(\.description) ?? "default"
        if let gateway { text += " via \(gateway)" }
        return text
    }
}
