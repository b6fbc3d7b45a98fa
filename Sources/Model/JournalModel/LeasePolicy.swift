// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The limits for leases: which routes and addresses may be set in a pod. Any host on the link can act as a DHCP server, so a server must
/// not redirect the pod's other traffic with routes (option 121), a router, or a network mask that is wider than the link.
package struct LeasePolicy: Hashable, Sendable {
    /// Prefixes that servers may set routes to (`interface.dhcpRoutes`). A default route needs a prefix of length 0.
    package var allowed: [IPPrefix]
    /// The cluster's networks: from the options of nearside-nri, and from the addresses and routes of the pod's own interface.
    package var reserved: [IPPrefix]
    /// Destinations of routes of the pod's other interfaces, which another route would replace.
    package var taken: Set<IPPrefix>

    package init(allowed: [IPPrefix], reserved: [IPPrefix] = [], taken: Set<IPPrefix> = []) {
        self.allowed = allowed
        self.reserved = reserved
        self.taken = taken
    }

    /// The largest network on the link that needs no allowed prefix: with a wider mask a server could take over the cluster's traffic.
    package static let shortestLink = 16

    /// The permitted routes, and a text with the reason for each refused route.
    package struct Decision: Hashable, Sendable {
        package var routes: [RouteSpec] = []
        package var refused: [String] = []
    }

    /// The reason why the address cannot be set; nil if it can.
    package func refusal(of address: IPPrefix) -> String? {
        let link = address.network
        if let network = reserved.first(where: { $0.overlaps(link) }) { return "\(address) overlaps the cluster's network \(network)" }
        if !address.address.isV6, address.length < Self.shortestLink, !allowed.contains(where: { $0.contains(link) }) {
            return "the network of \(address) is larger than /\(Self.shortestLink), and interface.dhcpRoutes does not contain it"
        }
        return nil
    }

    /// - Parameter address: the leased address, whose network is on the link.
    package func judge(_ routes: [RouteSpec], of address: IPPrefix) -> Decision {
        var decision = Decision()
        for route in routes.prefix(Lease.mostRoutes) {
            if let reason = refusal(of: route, behind: address) {
                decision.refused.append("\(route.destination) via \(route.gateway.map(\.description) ?? "the link"): \(reason)")
            } else if !decision.routes.contains(where: { $0.destination == route.destination }) {
                decision.routes.append(route)
            }
        }
        return decision
    }

    private func refusal(of route: RouteSpec, behind address: IPPrefix) -> String? {
        let (destination, link) = (route.destination, address.network)
        if let gateway = route.gateway, !link.contains(gateway) || gateway == address.address { return "the gateway is not on the link" }
        if destination.length == 0 {
            // The claim requests it explicitly, and it replaces the present default route.
            return allowed.contains(destination) ? nil : "interface.dhcpRoutes has no default route"
        }
        guard link.contains(destination) || allowed.contains(where: { $0.contains(destination) }) else {
            return "no prefix of interface.dhcpRoutes contains the destination"
        }
        if let network = reserved.first(where: { $0.overlaps(destination) }) {
            return "the destination overlaps the cluster's network \(network)"
        }
        return taken.contains(destination) ? "another interface has a route to the destination" : nil
    }
}
