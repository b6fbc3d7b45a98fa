// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import JournalModel
package import Linux
import Netlink
package import NetworkModel

extension PodNetwork {
    /// Applies a lease to an interface of a pod, as far as the policy permits (``LeasePolicy``), and then the planned routes that depend
    /// on it. Idempotent.
    ///
    /// - Parameters:
    ///   - lease: loses its address if the policy refuses it.
    ///   - old: the former address from the server.
    ///   - index: the interface's number in the pod.
    ///   - reserved: networks of the cluster from the command line.
    /// - Returns: the refused parts, each with its reason.
    package func apply(
        _ lease: inout Lease, replacing old: IPPrefix?, _ plan: InterfacePlan, index: Int32, in namespace: NetworkNamespace,
        reserved: [IPPrefix]
    ) throws(PodNetworkError) -> [String] {
        let given = lease
        let (address, refused) = try inside(namespace) { (pod) throws(PodNetworkError) in
            var refused: [String] = []
            var requests: [NetlinkRequest] = []
            var address = given.address
            if let own = address {
                let policy = try policy(plan, index: index, reserved: reserved, for: given, own)
                if let reason = policy.refusal(of: own) {
                    refused = [reason]
                    address = nil
                } else {
                    let decision = policy.judge(given.routes, of: own)
                    refused = decision.refused
                    requests = Self.requests(given, own, decision.routes, plan, index)
                }
            }
            if let old, old != address { requests.append(.remove(InterfaceAddress(index: index, prefix: old))) }
            guard !requests.isEmpty else { return (address, refused) }
            let failures = try HostNetwork.step(plan.name, "set the lease") { () throws(NetlinkError) in
                try pod.execute(all: requests)
            }
            // The kernel has already removed an old address that has expired.
            if let failure = failures.first(where: { $0.error.code != EADDRNOTAVAIL }) {
                throw PodNetworkError(.refused, plan.name, "set the lease", failure.error)
            }
            return (address, refused)
        }
        lease.address = address
        return refused
    }

    /// The policy for a lease, from the pod's present routes: networks that the pod's own interface, that of the default route, reaches
    /// without the default route belong to the cluster, as does the address of that interface.
    ///
    /// A pod can have any number of routes: for each network in the lease, one overlapping route suffices.
    private func policy(
        _ plan: InterfacePlan, index: Int32, reserved: [IPPrefix], for lease: Lease, _ own: IPPrefix
    ) throws(PodNetworkError) -> LeasePolicy {
        let destinations = Set(lease.routes.map(\.destination))
        var open = destinations.union([own.network])
        var networks: Set<IPPrefix> = []
        var taken: Set<IPPrefix> = []
        func reserve(_ network: IPPrefix) {
            let met = open.filter(network.overlaps)
            if !met.isEmpty { networks.insert(network) }
            open.subtract(met)
        }
        try HostNetwork.step(plan.name, "list the pod's routes") { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            var cluster: Set<Int32> = []
            func look(_ body: (Route) -> Void) throws(NetlinkError) {
                _ = try socket.routes { route in
                    if route.table == Route.mainTable, !route.interfaces.contains(index) { body(route) }
                    return false
                }
            }
            try look { route in if route.isDefault { cluster.formUnion(route.interfaces) } }
            try look { route in
                guard let destination = route.destination else { return }
                if destinations.contains(destination) { taken.insert(destination) }
                if destination.length > 0, !cluster.isDisjoint(with: route.interfaces) { reserve(destination) }
            }
            for interface in cluster.sorted().prefix(Self.mostClusterInterfaces) {
                for address in try socket.addresses(of: interface) {
                    reserve(IPPrefix(address: address.prefix.address, length: address.prefix.address.bitCount))
                }
            }
        }
        return LeasePolicy(
            allowed: plan.dhcpRoutes ?? [], reserved: reserved + networks.sorted { $0.description < $1.description },
            taken: plan.vrf == nil ? taken : [])
    }

    private static let mostClusterInterfaces = 16

    private static func requests(
        _ lease: Lease, _ address: IPPrefix, _ given: [RouteSpec], _ plan: InterfacePlan, _ index: Int32
    ) -> [NetlinkRequest] {
        // The kernel accepts no lifetime of 0.
        let left = lease.left(at: .now).map { max($0, 1) }
        var own = InterfaceAddress(index: index, prefix: address)
        // The kernel removes the address if the lease ends without renewal.
        own.validLifetime = left
        own.preferredLifetime = lease.preferredLeft(at: .now).map { min($0, left ?? $0) }
        // The container waits for the address: no other host has the address, and duplicate address detection would take a second.
        if address.address.isV6 { own.flags = UInt32(IFA_F_NODAD) }
        var requests = [NetlinkRequest.set(own)]
        let family = Lease.Family(address.address)
        let isNew = { (route: RouteSpec) in !plan.routes.contains { $0.destination == route.destination } }
        let routes = plan.routes.filter { plan.lease(for: $0) == family } + given.filter(isNew)
        for isBehindGateway in [false, true] {
            for route in routes where (route.gateway != nil) == isBehindGateway {
                requests.append(.set(Route(route, of: index, in: plan.vrf?.table)))
            }
        }
        return requests
    }
}

extension Route {
    /// - Parameter domain: the table of the VRF of the interface.
    init(_ plan: RouteSpec, of index: Int32, in domain: UInt32?) {
        let isV6 = plan.destination.address.isV6
        self.init(
            destination: plan.destination.length == 0 ? nil : plan.destination, isV6: isV6, gateway: plan.gateway, source: plan.source,
            interface: index, table: domain ?? plan.table ?? Route.mainTable,
            // A route without a gateway has the scope of the link (RT_SCOPE_LINK).
            scope: plan.gateway == nil && !isV6 ? 253 : 0, priority: plan.metric)
        if plan.isOnLink == true { flags = UInt32(RTNH_F_ONLINK) }
        if let mtu = plan.mtu { set(mtu: mtu) }
    }
}
