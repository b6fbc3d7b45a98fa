// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The limits on leases: which routes and addresses may be set in a pod. A DHCP server is any machine on the link: it may not take the pod's other traffic, by routes
/// (option 121), by a router, or by a network mask that says more than the link is on the link.
package struct LeasePolicy: Hashable, Sendable {
    /// Prefixes into which servers may give routes (`interface.dhcpRoutes`); a default route only where one of them has length 0.
    package var allowed: [IPPrefix]
    /// The cluster's networks: those of nearside-nri's options, and the addresses and networks of the pod's own network.
    package var reserved: [IPPrefix]
    /// Destinations of routes of the pod's other interfaces, which a second route would replace.
    package var taken: Set<IPPrefix>

    package init(allowed: [IPPrefix], reserved: [IPPrefix] = [], taken: Set<IPPrefix> = []) {
        self.allowed = allowed
        self.reserved = reserved
        self.taken = taken
    }

    /// A network on the link that is larger has to lie in an allowed prefix: by its mask a server could take what a cluster uses.
    package static let shortestLink = 16

    /// The routes that may be set; for each of the others a text says why not.
    package struct Decision: Hashable, Sendable {
        package var routes: [RouteSpec] = []
        package var refused: [String] = []
    }

    /// Why the address cannot be set; nil when it can.
    package func refusal(of address: IPPrefix) -> String? {
        let link = address.network
        if let network = reserved.first(where: { $0.overlaps(link) }) { return "\(address) overlaps the cluster's network \(network)" }
        if !address.address.isV6, address.length < Self.shortestLink, !allowed.contains(where: { $0.contains(link) }) {
            return "the network of \(address) is larger than /\(Self.shortestLink), and not in interface.dhcpRoutes"
        }
        return nil
    }

    /// - Parameter address: the lease's own, whose network is on the link.
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
        if let gateway = route.gateway, !link.contains(gateway) || gateway == address.address { return "its gateway is not on the link" }
        if destination.length == 0 {
            // It is asked for by name, and takes the place of the default route there is.
            return allowed.contains(destination) ? nil : "interface.dhcpRoutes has no default route"
        }
        guard link.contains(destination) || allowed.contains(where: { $0.contains(destination) }) else {
            return "no prefix of interface.dhcpRoutes contains it"
        }
        if let network = reserved.first(where: { $0.overlaps(destination) }) { return "it overlaps the cluster's network \(network)" }
        return taken.contains(destination) ? "another interface has a route there" : nil
    }
}
