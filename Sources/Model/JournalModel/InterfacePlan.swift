// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What is to happen with one interface: which it is on the host, and how it is to be in the pod. What is nil or empty stays
/// as it is on the host.
package struct InterfacePlan: Hashable, Sendable, Codable {
    package var hostName: String
    /// The device on a bus that the interface belongs to, as the kernel names it, and the address it was made with: what an interface of
    /// that name has to have when it is taken. Nil when the kernel does not tell, or where it can change.
    package var parentDevice: String?
    package var permanentAddress: HardwareAddress?
    package var name: String
    /// Nil: the interface itself goes. Otherwise the pod gets one of its own that is stacked on it, and it stays on the host.
    package var child: ChildPlan?
    package var mtu: Int?
    package var hardwareAddress: HardwareAddress?
    /// Nil: the addresses it has on the host go with it, and the routes, rules and neighbours that belong to them.
    package var addresses: [IPPrefix]?
    /// Servers on the link are to give it an address: one of DHCP, one of DHCPv6.
    package var dhcp: Bool?
    package var dhcp6: Bool?
    /// Networks into which a DHCP server may give routes; nil for none but the link's.
    package var dhcpRoutes: [IPPrefix]?
    package var routes: [RoutePlan]
    @AddedList package var rules: [Rule]
    @AddedList package var neighbours: [NeighbourPlan]
    package var sizes: SegmentSizes?
    /// Settings by their path below `FAMILY/conf/IF` or `FAMILY/neigh/IF`: `ipv4/conf/rp_filter`.
    package var sysctls: [String: String]?
    package var features: [String: Bool]?
    package var privateFlags: [String: Bool]?
    package var vrf: VRFPlan?
    /// Programs attached to it (XDP, traffic control) are taken off.
    package var detachesPrograms: Bool?

    package init(
        hostName: String, name: String, mtu: Int? = nil, hardwareAddress: HardwareAddress? = nil,
        addresses: [IPPrefix]? = nil, routes: [RoutePlan] = []
    ) {
        self.hostName = hostName
        self.name = name
        self.mtu = mtu
        self.hardwareAddress = hardwareAddress
        self.addresses = addresses
        self.routes = routes
        rules = []
        neighbours = []
    }

    /// The leases it asks for. Who asks a server takes no address of the host's along.
    package var leaseFamilies: [Lease.Family] { Lease.Family.allCases.filter { ($0 == .v4 ? dhcp : dhcp6) == true } }

    /// The lease that has to be there before a route can be set; nil when it can be at once. Its gateway may lie behind an address that
    /// comes with the lease; routers that announce themselves have done so by then, too.
    package func lease(for route: RoutePlan) -> Lease.Family? {
        if route.destination.address.isV6, dhcp6 == true { return .v6 }
        return dhcp == true ? .v4 : nil
    }
}

package struct RoutePlan: Hashable, Sendable, Codable {
    package var destination: IPPrefix
    package var gateway: IPAddress?
    package var source: IPAddress?
    /// Nil is the main table, or that of the VRF.
    package var table: UInt32?
    package var metric: UInt32?
    package var mtu: UInt32?
    /// The gateway is on the link, whatever the addresses say.
    package var isOnLink: Bool?

    package init(destination: IPPrefix, gateway: IPAddress? = nil, source: IPAddress? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
    }
}

package struct NeighbourPlan: Hashable, Sendable, Codable {
    package var address: IPAddress
    package var hardwareAddress: HardwareAddress

    package init(address: IPAddress, hardwareAddress: HardwareAddress) {
        self.address = address
        self.hardwareAddress = hardwareAddress
    }
}

/// A routing domain in the pod that the interface belongs to.
package struct VRFPlan: Hashable, Sendable, Codable {
    package var name: String
    package var table: UInt32

    package init(name: String, table: UInt32) {
        self.name = name
        self.table = table
    }
}

/// An interface stacked on one of the host.
package struct ChildPlan: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable {
        case macvlan, ipvlan, vlan
    }

    package var kind: Kind
    /// As the kernel numbers modes of macvlan (MACVLAN_MODE_) and ipvlan (IPVLAN_MODE_); nil is its default.
    package var mode: UInt32?
    /// The number of a VLAN.
    package var vlan: UInt16?

    package init(kind: Kind, mode: UInt32? = nil, vlan: UInt16? = nil) {
        self.kind = kind
        self.mode = mode
        self.vlan = vlan
    }
}
