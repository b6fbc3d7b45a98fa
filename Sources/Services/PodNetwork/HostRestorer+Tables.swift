// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Netlink
import NetworkModel

/// Addresses, routes, neighbours and queueing disciplines: the kernel has them in other tables than the interface.
extension HostRestorer {
    mutating func restoreAddressesAndRoutes() throws(PodNetworkError) {
        var steps = items.flatMap(\.addressSteps)
        let routes = items.flatMap(\.routeSteps)
        // A gateway is reached by a route that is there already.
        for isBehindGateway in [false, true] { steps += routes.filter { $0.isBehindGateway == isBehindGateway }.map(\.step) }
        for item in items {
            steps += item.record.neighbours.map { neighbour in
                var neighbour = neighbour
                neighbour.index = item.link.index
                return item.step("restore its neighbours", .set(neighbour))
            }
        }
        try execute(try steps + queueingSteps())
    }

    private func queueingSteps() throws(PodNetworkError) -> [Step] {
        guard items.contains(where: { !$0.record.queueing.isEmpty }) else { return [] }
        let now = try HostNetwork.step(items[0].name, "read its queueing disciplines") { () throws(NetlinkError) in
            try host.socket.queueingDisciplines(of: items.map(\.link.index))
        }
        return items.filter { now[$0.link.index] ?? [] != $0.record.queueing }.flatMap { item in
            item.record.queueing.map { item.step("restore its queueing discipline", .set($0, of: item.link.index)) }
        }
    }
}

extension HostRestorer.Item {
    /// Addresses, and behind them the interface up or down.
    fileprivate var addressSteps: [Step] {
        let passed = max(0, HostNetwork.secondsSinceBoot() - (record.recordedAt ?? HostNetwork.secondsSinceBoot()))
        let addresses = record.addresses.compactMap { $0.after(seconds: passed, on: link.index) }
        // The kernel lists IPv6 addresses the newest first.
        let ordered = addresses.filter { !$0.prefix.address.isV6 } + addresses.filter(\.prefix.address.isV6).reversed()
        let state = LinkChange(isUp: record.isUp)
        return ordered.map { step("restore its addresses", .set($0)) } + [
            step("bring it \(record.isUp ? "up" : "down")", .change(link.index, state, "bring it \(record.isUp ? "up" : "down")"))
        ]
    }

    fileprivate var routeSteps: [(step: Step, isBehindGateway: Bool)] {
        guard record.isUp else { return [] }
        return record.routes.map { route in
            var route = route
            if route.interface == record.index { route.interface = link.index }
            var restore = step("restore its routes", .set(route))
            // One with several next hops can be set when the last of them is back.
            restore.isOptional = route.nextHops != nil
            return (restore, route.gateway != nil)
        }
    }
}

extension InterfaceAddress {
    /// The address with the lifetimes that are left after a while: nil when it has expired.
    fileprivate func after(seconds: Int, on index: Int32) -> InterfaceAddress? {
        var address = self
        address.index = index
        func left(_ lifetime: UInt32?) -> UInt32? { lifetime.map { $0 > UInt32(clamping: seconds) ? $0 - UInt32(clamping: seconds) : 0 } }
        address.validLifetime = left(validLifetime)
        address.preferredLifetime = left(preferredLifetime)
        return address.validLifetime == 0 ? nil : address
    }
}
