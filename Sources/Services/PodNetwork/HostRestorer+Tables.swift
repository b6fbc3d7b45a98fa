// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Netlink
import NetworkModel

/// Restores addresses, routes, neighbours and queueing disciplines, which the kernel keeps in tables outside the interface.
extension HostRestorer {
    mutating func restoreAddressesAndRoutes() throws(PodNetworkError) {
        var steps = items.flatMap(\.addressSteps)
        let routes = items.flatMap(\.routeSteps)
        // The route to a gateway must exist before the routes over it.
        for isBehindGateway in [false, true] { steps += routes.filter { $0.isBehindGateway == isBehindGateway }.map(\.step) }
        for item in items {
            steps += item.record.neighbours.map { neighbour in
                var neighbour = neighbour
                neighbour.index = item.link.index
                return item.step("restore neighbours", .set(neighbour))
            }
        }
        try execute(try steps + queueingSteps())
    }

    private func queueingSteps() throws(PodNetworkError) -> [Step] {
        guard items.contains(where: { !$0.record.queueing.isEmpty }) else { return [] }
        let now = try HostNetwork.step(items[0].name, "read queueing disciplines") { () throws(NetlinkError) in
            try host.socket.queueingDisciplines(of: items.map(\.link.index))
        }
        return items.filter { now[$0.link.index] ?? [] != $0.record.queueing }.flatMap { item in
            item.record.queueing.map { item.step("restore the queueing discipline", .set($0, of: item.link.index)) }
        }
    }
}

extension HostRestorer.Item {
    /// The addresses, and then the administrative state of the interface.
    fileprivate var addressSteps: [Step] {
        let now = HostNetwork.secondsSinceBoot()
        let addresses = record.addresses(after: now - (record.recordedAt ?? now), on: link.index)
        let state = LinkChange(isUp: record.isUp)
        return addresses.map { step("restore addresses", .set($0)) } + [
            step("bring \(record.isUp ? "up" : "down")", .change(link.index, state, "bring \(record.isUp ? "up" : "down")"))
        ]
    }

    fileprivate var routeSteps: [(step: Step, isBehindGateway: Bool)] {
        record.routes(on: link.index).map { route in
            var restore = step("restore routes", .set(route))
            // A multipath route can be set once all interfaces of its next hops are restored.
            restore.isOptional = route.nextHops != nil
            return (restore, route.gateway != nil)
        }
    }
}
