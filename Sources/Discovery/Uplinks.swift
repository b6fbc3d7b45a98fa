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
        links: [Link], addresses: [InterfaceAddress], routes: [Route], nodeAddresses: [String]
    ) -> Set<Int32> {
        var uplinks = Set(routes.filter(\.isDefault).compactMap(\.interface))
        for address in addresses where nodeAddresses.contains(address.prefix.address.description) {
            uplinks.insert(address.index)
        }
        let loopback = Set(links.filter(\.isLoopback).map(\.index))
        uplinks.subtract(loopback)
        var neighbours: [Int32: [Int32]] = [:]
        for link in links {
            // The peer of a veth is the other end of a cable, not a part of the same stack.
            let lower = link.linkNamespace == nil && link.kind != "veth" ? link.link : nil
            for other in [lower, link.master].compactMap({ $0 }) {
                neighbours[link.index, default: []].append(other)
                neighbours[other, default: []].append(link.index)
            }
        }
        var open = Array(uplinks)
        while let index = open.popLast() {
            for other in neighbours[index] ?? [] where uplinks.insert(other).inserted { open.append(other) }
        }
        return uplinks
    }
}
