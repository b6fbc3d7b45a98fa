// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import JournalModel
import Netlink
import NetworkModel

/// An interface in the pod, with its desired addresses, routes, rules and neighbours: those of the plan, and those of the host that move
/// with it.
struct ArrivedInterface {
    var request: PodNetwork.AttachRequest
    var plan: InterfacePlan
    var link: Link

    /// The planned addresses, or else the addresses on the host. IPv6 addresses skip duplicate address detection: no other host on the
    /// link may use them.
    var addresses: [InterfaceAddress] {
        (plan.addresses ?? carried.addresses).map { prefix in
            InterfaceAddress(index: link.index, prefix: prefix, flags: prefix.address.isV6 ? UInt32(IFA_F_NODAD) : 0)
        }
    }

    var routes: [Route] {
        let table = plan.vrf?.table
        // Routes over a leased address are set once the lease has arrived.
        let planned = plan.routes.filter { plan.lease(for: $0) == nil }.map { Route($0, of: link.index, in: table) }
        let carried = carried.routes.compactMap { route -> Route? in
            var route = route
            route.interface = link.index
            if let table { route.table = table }
            let isReplaced = planned.contains { $0.destination == route.destination && $0.isV6 == route.isV6 && $0.table == route.table }
            return isReplaced ? nil : route
        }
        return carried + planned
    }

    var rules: [Rule] {
        guard plan.vrf == nil else { return plan.rules }
        return plan.rules
            + carried.rules.map { rule in
                var rule = rule
                if rule.inputInterface != nil { rule.inputInterface = plan.name }
                if rule.outputInterface != nil { rule.outputInterface = plan.name }
                return rule
            }
    }

    var neighbours: [Neighbour] {
        let planned = plan.neighbours.map { Neighbour(index: link.index, address: $0.address, hardwareAddress: $0.hardwareAddress) }
        return planned
            + carried.neighbours.compactMap { neighbour in
                var neighbour = neighbour
                neighbour.index = link.index
                return planned.contains { $0.address == neighbour.address } ? nil : neighbour
            }
    }

    /// The part of the host's record that moves to the pod: all settings of the interface's own addresses, or none of them. A default
    /// route of the host moves only from a table that a rule for these addresses selects.
    private var carried: (addresses: [IPPrefix], routes: [Route], rules: [Rule], neighbours: [Neighbour]) {
        guard let record = request.record, plan.child == nil, plan.addresses == nil, plan.leaseFamilies.isEmpty else {
            return ([], [], [], [])
        }
        // The kernel creates the addresses of router advertisements again in the pod.
        let addresses = record.addresses.filter { !$0.prefix.address.isLinkLocal && !($0.prefix.address.isV6 && $0.validLifetime != nil) }
        let tables = Set(record.rules.map(\.table))
        let routes = record.routes.filter { route in
            guard route.interface == record.index, route.nextHops == nil else { return false }
            return route.table == Route.mainTable ? !route.isDefault : tables.contains(route.table)
        }
        return (addresses.map(\.prefix), routes, record.rules, record.neighbours)
    }
}
