// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The desired state of one interface: its name on the host, and its settings in the pod. Nil or empty settings stay
/// those of the host.
package struct InterfacePlan: Hashable, Sendable, Codable {
    package var hostName: String
    /// The device on a bus that the interface belongs to, as the kernel names it, and the address it was made with: what an interface of
    /// that name has to have when it is taken. Nil when the kernel does not tell, or where it can change.
    package var parentDevice: String?
    package var permanentAddress: HardwareAddress?
    package var name: String
    /// Nil: the interface itself goes. Otherwise the pod gets one of its own that is stacked on it, and it stays on the host.
    package var child: ChildInterface?
    package var mtu: Int?
    package var hardwareAddress: HardwareAddress?
    /// Nil: the addresses it has on the host go with it, and the routes, rules and neighbours that belong to them.
    package var addresses: [IPPrefix]?
    /// Servers on the link are to give it an address: one of DHCP, one of DHCPv6.
    package var dhcp: Bool?
    package var dhcp6: Bool?
    /// Networks into which a DHCP server may give routes; nil for none but the link's.
    package var dhcpRoutes: [IPPrefix]?
    package var routes: [RouteSpec]
    @AddedList package var rules: [Rule]
    @AddedList package var neighbours: [NeighbourSpec]
    package var sizes: SegmentSizes?
    /// Settings by their path below `FAMILY/conf/IF` or `FAMILY/neigh/IF`: `ipv4/conf/rp_filter`.
    package var sysctls: [String: String]?
    package var features: [String: Bool]?
    package var privateFlags: [String: Bool]?
    package var vrf: VRF?
    /// Programs attached to it (XDP, traffic control) are taken off.
    package var detachesPrograms: Bool?

    package init(
        hostName: String, name: String, mtu: Int? = nil, hardwareAddress: HardwareAddress? = nil,
        addresses: [IPPrefix]? = nil, routes: [RouteSpec] = []
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
    package func lease(for route: RouteSpec) -> Lease.Family? {
        if route.destination.address.isV6, dhcp6 == true { return .v6 }
        return dhcp == true ? .v4 : nil
    }
}
