// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The desired state of one interface: its name on the host, and its settings in the pod. Nil or empty settings keep
/// the host's values.
package struct InterfacePlan: Hashable, Sendable, Codable {
    package var hostName: String
    /// The interface's device on a bus and its permanent address, both as the kernel reports them. The attach checks them. Nil if the
    /// kernel does not report them, or if they can change.
    package var parentDevice: String?
    package var permanentAddress: HardwareAddress?
    package var name: String
    /// An interface for the pod that is stacked on this one, which stays on the host. Nil if this interface itself moves.
    package var child: ChildInterface?
    package var mtu: Int?
    package var hardwareAddress: HardwareAddress?
    /// Addresses in the pod. Nil to move the host's addresses with their routes, rules and neighbours.
    package var addresses: [IPPrefix]?
    /// True to request an address over DHCP, or DHCPv6.
    package var dhcp: Bool?
    package var dhcp6: Bool?
    /// Destinations that a DHCP server may set routes to; nil for only the link's networks.
    package var dhcpRoutes: [IPPrefix]?
    package var routes: [RouteSpec]
    @AddedList package var rules: [Rule]
    @AddedList package var neighbours: [NeighbourSpec]
    package var sizes: SegmentSizes?
    /// Sysctls by their path, `FAMILY/conf/NAME` or `FAMILY/neigh/NAME` without the interface: `ipv4/conf/rp_filter`.
    package var sysctls: [String: String]?
    package var features: [String: Bool]?
    package var privateFlags: [String: Bool]?
    package var vrf: VRF?
    /// True to detach programs (XDP, traffic control).
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

    /// The families of requested leases. An interface with DHCP moves without the host's addresses.
    package var leaseFamilies: [Lease.Family] { Lease.Family.allCases.filter { ($0 == .v4 ? dhcp : dhcp6) == true } }

    /// The lease that has to arrive before a route can be set; nil if it can be set at once. The route's gateway may be reachable only
    /// over a leased address; announced routers have announced themselves by then.
    package func lease(for route: RouteSpec) -> Lease.Family? {
        if route.destination.address.isV6, dhcp6 == true { return .v6 }
        return dhcp == true ? .v4 : nil
    }
}
