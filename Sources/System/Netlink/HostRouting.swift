// SPDX-License-Identifier: Apache-2.0

import Glibc
package import NetworkModel

/// The kernel's tables that determine which interfaces the host uses: links, addresses, routes, rules and next hops of its network
/// namespace.
///
/// `nearside-node` applies the rules and does not publish such interfaces; `nearside-nri` applies them again, independently of
/// plans, and does not attach such interfaces.
package struct HostRouting: Sendable {
    /// A destination that the host has to reach, and the kernel's route to it.
    package struct Path: Sendable {
        package var use: HostUse
        package var route: Route

        package init(_ use: HostUse, _ route: Route) {
            self.use = use
            self.route = route
        }
    }

    package var links: [Link]
    package var addresses: [InterfaceAddress]
    package var routes: [Route]
    package var rules: [Rule]
    package var nextHops: [UInt32: NextHop]
    package var paths: [Path] = []
    /// All unicast routes of the requested interfaces; ``routes`` has one for each group of routes with equal interfaces.
    package var completeRoutes: [Route] = []

    package init(
        links: [Link], addresses: [InterfaceAddress], routes: [Route], rules: [Rule] = [], nextHops: [UInt32: NextHop] = [:]
    ) {
        self.links = links
        self.addresses = addresses
        self.routes = routes
        self.rules = rules
        self.nextHops = nextHops
    }

    /// The uses of interfaces by the host, by the interface's index; the strictest use of each. The loopback has none.
    ///
    /// - Parameter nodeAddresses: addresses of the node in the cluster.
    package func uses(nodeAddresses: [IPAddress] = []) -> [Int32: HostUse] {
        var uses: [Int32: HostUse] = [:]
        func note(_ interfaces: [Int32], _ use: HostUse) { for index in interfaces where uses[index] == nil { uses[index] = use } }
        var own = Set(nodeAddresses)
        for route in routes where route.isDefaultInEffect && !isOfItsOwn(route) {
            note(interfaces(of: route), HostUse(.defaultRoute))
            if let source = route.source { own.insert(source) }
        }
        for address in addresses where own.contains(address.prefix.address) {
            note([address.index], HostUse(.nodeAddress, address.prefix.address.description))
        }
        for route in routes {
            guard let source = route.source, own.contains(source) else { continue }
            note(interfaces(of: route), HostUse(.nodeAddress, source.description))
        }
        for path in paths { note(interfaces(of: path.route), path.use) }
        for link in links where link.isLoopback { uses[link.index] = nil }
        spread(&uses)
        let names = Dictionary(links.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        for link in links {
            if let lower = link.lower { note([lower], HostUse(.upperInterface, link.name)) }
            if let master = link.master { note([link.index], HostUse(.port, names[master] ?? String(master))) }
        }
        for route in routes where hasGateway(route) && !isOfItsOwn(route) {
            note(interfaces(of: route), HostUse(.gatewayRoute, route.description))
        }
        return uses
    }

    /// Extends a use to the whole stack of an interface: all interfaces below and above it.
    private func spread(_ uses: inout [Int32: HostUse]) {
        var neighbours: [Int32: [Int32]] = [:]
        for link in links {
            for other in [link.lower, link.master].compactMap({ $0 }) {
                neighbours[link.index, default: []].append(other)
                neighbours[other, default: []].append(link.index)
            }
        }
        // Ports of Open vSwitch are enslaved to its datapath, but an internal port, which has the address, is
        // not, and the kernel does not report its datapath.
        let datapaths = links.filter { $0.kind == "openvswitch" }.map(\.index)
        for (one, other) in zip(datapaths, datapaths.dropFirst()) {
            neighbours[one, default: []].append(other)
            neighbours[other, default: []].append(one)
        }
        let names = Dictionary(links.map { ($0.index, $0.name) }, uniquingKeysWith: { first, _ in first })
        // Sorted by index, so that the same host always has the same reasons.
        var open = uses.keys.sorted(by: >)
        while let index = open.popLast() {
            guard let use = uses[index] else { continue }
            for other in neighbours[index] ?? [] where uses[other] == nil {
                uses[other] = HostUse(use.kind, use.object, stackedWith: use.stackedWith ?? names[index])
                open.append(other)
            }
        }
    }

    /// All interfaces of a route, including those of its next hop object.
    private func interfaces(of route: Route) -> [Int32] {
        route.interfaces + (route.nextHopID.map { members(of: $0).compactMap(\.interface) } ?? [])
    }

    private func hasGateway(_ route: Route) -> Bool {
        route.gateway != nil || route.nextHops != nil || route.hasForeignGateway
            || route.nextHopID.map { members(of: $0).contains(where: \.hasGateway) } == true
    }

    /// A group contains only single next hops: the kernel does not nest groups.
    private func members(of id: UInt32) -> [NextHop] {
        guard let nextHop = nextHops[id] else { return [] }
        return [nextHop] + nextHop.members.compactMap { nextHops[$0] }
    }

    /// True for a route in a table that only rules for the interface's own addresses select, as in fabrics with a network for each NIC:
    /// no traffic of the node depends on it. A table that rules for other addresses also select, such as those of pods on some clouds,
    /// does not qualify.
    private func isOfItsOwn(_ route: Route) -> Bool {
        guard route.table != Route.mainTable, route.nextHops == nil else { return false }
        let interfaces = Set(interfaces(of: route))
        guard interfaces.count == 1 else { return false }
        let own = addresses.filter { interfaces.contains($0.index) }.map(\.prefix.address)
        let leading = rules.filter { $0.table == route.table }
        return !leading.isEmpty
            && leading.allSatisfy { rule in
                guard let source = rule.source, !rule.isInverted, source.length == source.address.bitCount else { return false }
                return own.contains(source.address)
            }
    }
}

extension Link {
    /// The interface below, if it is in the same namespace. The peer of a veth is the other end of a cable, and not part of the
    /// stack.
    package var lower: Int32? { linkNamespace == nil && kind != "veth" && kind != "netkit" && link != index ? link : nil }
}

extension Route {
    /// True for a default route, and for routes that together replace one: a half, a quarter or an eighth of all addresses, or all
    /// addresses routed on the Internet (2000::/3).
    fileprivate var isDefaultInEffect: Bool { isDefault || (destination.map { $0.length <= 3 } ?? true) }
}

extension NetlinkSocket {
    /// Reads the tables that determine which interfaces the host uses.
    ///
    /// - Parameter interfaces: indices of interfaces whose routes are all kept.
    package func hostRouting(of interfaces: Set<Int32> = []) throws(NetlinkError) -> HostRouting {
        let links = try self.links()
        // A table can have a million routes. Of routes that differ only in their destination, the first is kept.
        var seen: Set<Route> = []
        var others: [Route] = []
        let kept = try self.routes(where: { route in
            if route.isDefaultInEffect { return true }
            let isAskedFor = !interfaces.isDisjoint(with: route.interfaces)
            var likewise = route
            (likewise.destination, likewise.priority) = (nil, nil)
            // Kept separately, because a restarted dump repeats routes.
            if seen.insert(likewise).inserted { others.append(route) }
            return isAskedFor
        })
        var routing = HostRouting(
            links: links, addresses: try addresses(), routes: kept.filter(\.isDefaultInEffect) + others)
        routing.completeRoutes = kept.filter { !interfaces.isDisjoint(with: $0.interfaces) }
        // A kernel without rules (CONFIG_IP_MULTIPLE_TABLES) has one table; then every default route counts.
        do throws(NetlinkError) { routing.rules = try rules() } catch { if error.code != EOPNOTSUPP { throw error } }
        if routing.routes.contains(where: { $0.nextHopID != nil }) { routing.nextHops = try nextHops() }
        return routing
    }
}
