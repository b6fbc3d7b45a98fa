// SPDX-License-Identifier: Apache-2.0

import Addressing
package import Netlink

/// Which interfaces carry the node's own traffic.
///
/// Those are the interfaces of default routes, the one that holds the node's address, and all that
/// these are stacked on or that is stacked on them: taking one away would cut the node off.
package enum Uplinks {
    /// Indices of the uplinks among the links.
    package static func indices(
        links: [Link], addresses: [InterfaceAddress], routes: [Route], rules: [Rule], nodeAddresses: [String]
    ) -> Set<Int32> {
        var uplinks = Set(
            routes.filter { $0.isDefault && !isOfItsOwn($0, rules, addresses) }.flatMap(\.interfaces))
        let own = Set(nodeAddresses.compactMap { IPAddress(parsing: $0) })
        for address in addresses where own.contains(address.prefix.address) { uplinks.insert(address.index) }
        uplinks.subtract(links.filter(\.isLoopback).map(\.index))
        var neighbours: [Int32: [Int32]] = [:]
        for link in links {
            // The peer of a veth is the other end of a cable, not a part of the same stack.
            let lower = link.linkNamespace == nil && link.kind != "veth" ? link.link : nil
            for other in [lower, link.master].compactMap({ $0 }) {
                neighbours[link.index, default: []].append(other)
                neighbours[other, default: []].append(link.index)
            }
        }
        // Ports of Open vSwitch are enslaved to its datapath, but an internal port, which holds the address, is
        // not: nothing tells which datapath it is of.
        let datapaths = links.filter { $0.kind == "openvswitch" }.map(\.index)
        for (one, other) in zip(datapaths, datapaths.dropFirst()) {
            neighbours[one, default: []].append(other)
            neighbours[other, default: []].append(one)
        }
        var open = Array(uplinks)
        while let index = open.popLast() {
            for other in neighbours[index] ?? [] where uplinks.insert(other).inserted { open.append(other) }
        }
        return uplinks
    }

    /// Fabrics with a network for each NIC give each a routing table with a default route, which only what
    /// is sent from that NIC's own address looks up: no traffic of the node depends on it. A table that
    /// other addresses look up too, as those of pods do on some clouds, is another matter.
    private static func isOfItsOwn(_ route: Route, _ rules: [Rule], _ addresses: [InterfaceAddress]) -> Bool {
        guard route.table != Route.mainTable, let interface = route.interface, route.nextHops == nil else { return false }
        let own = addresses.filter { $0.index == interface }.map(\.prefix.address)
        let leading = rules.filter { $0.table == route.table }
        return !leading.isEmpty
            && leading.allSatisfy { rule in
                guard let source = rule.source, !rule.isInverted, source.length == source.address.bitCount else { return false }
                return own.contains(source.address)
            }
    }
}
