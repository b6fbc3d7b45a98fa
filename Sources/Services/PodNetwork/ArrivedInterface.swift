// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import JournalModel
import Netlink
import NetworkModel

/// An interface that has come to the pod, and the addresses, routes, rules and neighbours that it gets there: those of the plan, and those
/// of the host that go along.
struct ArrivedInterface {
    var request: PodNetwork.AttachRequest
    var plan: InterfacePlan
    var link: Link

    /// The planned addresses, or those it had on the host. IPv6 addresses are used at once: no other host on the link can have an address that
    /// this interface has had all along or was given for its own.
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

    /// The part of the host's record that goes along: all that belongs to its addresses, or nothing of it. A default route of the host is
    /// none of the pod's, but one in a table that only a rule for its own addresses leads to is.
    private var carried: (addresses: [IPPrefix], routes: [Route], rules: [Rule], neighbours: [Neighbour]) {
        guard let record = request.record, plan.child == nil, plan.addresses == nil, plan.leaseFamilies.isEmpty else {
            return ([], [], [], [])
        }
        // The kernel makes addresses from a router's announcements by itself, in the pod too.
        let addresses = record.addresses.filter { !$0.prefix.address.isLinkLocal && !($0.prefix.address.isV6 && $0.validLifetime != nil) }
        let tables = Set(record.rules.map(\.table))
        let routes = record.routes.filter { route in
            guard route.interface == record.index, route.nextHops == nil else { return false }
            return route.table == Route.mainTable ? !route.isDefault : tables.contains(route.table)
        }
        return (addresses.map(\.prefix), routes, record.rules, record.neighbours)
    }
}
