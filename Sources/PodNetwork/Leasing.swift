// SPDX-License-Identifier: Apache-2.0

package import Addressing
import CLinux
import Glibc
package import Journal
package import Linux
import Netlink

extension PodNetwork {
    /// Gives an interface of a pod what a DHCP server gave, and the planned routes, which may lie behind it. Fine when it has it already.
    ///
    /// - Parameters:
    ///   - old: the address it had from the server before.
    ///   - index: the interface's number in the pod.
    package func apply(
        _ lease: Lease, replacing old: IPPrefix?, _ plan: InterfacePlan, index: Int32, in namespace: NetworkNamespace
    ) throws(PodNetworkError) {
        var requests: [NetlinkRequest] = []
        if let address = lease.address {
            // The kernel has no address for no time at all.
            let left = lease.left(at: Poller.now()).map { max($0, 1) }
            var own = InterfaceAddress(index: index, prefix: address)
            // The kernel takes it off when the lease has ended and nobody renewed it.
            own.validLifetime = left
            own.preferredLifetime = lease.preferredLeft(at: Poller.now()).map { min($0, left ?? $0) }
            // The container starts with it: the server gave it to nobody else, and the kernel would take a second to make sure of that.
            if address.address.isV6 { own.flags = UInt32(IFA_F_NODAD) }
            requests.append(.set(own))
            let given = lease.routes.map { RoutePlan(destination: $0.destination, gateway: $0.gateway) }
            let family = Lease.Family(address.address)
            let isNew = { (route: RoutePlan) in !plan.routes.contains { $0.destination == route.destination } }
            let wished = plan.routes.filter { plan.lease(for: $0) == family } + given.filter(isNew)
            for isBehindGateway in [false, true] {
                for route in wished where (route.gateway != nil) == isBehindGateway {
                    requests.append(.set(Route(route, of: index, in: plan.vrf?.table)))
                }
            }
        }
        if let old, old != lease.address { requests.append(.remove(InterfaceAddress(index: index, prefix: old))) }
        guard !requests.isEmpty else { return }
        try inside(namespace) { (pod) throws(PodNetworkError) in
            let failures = try HostNetwork.step(plan.name, "set what the DHCP server gave") { () throws(NetlinkError) in
                try pod.execute(all: requests)
            }
            // An old address that has expired is gone already.
            if let failure = failures.first(where: { $0.error.code != EADDRNOTAVAIL }) {
                throw PodNetworkError(plan.name, "set what the DHCP server gave", failure.error)
            }
        }
    }
}

extension Route {
    /// - Parameter domain: the table of the VRF that the interface is in.
    init(_ plan: RoutePlan, of index: Int32, in domain: UInt32?) {
        let isV6 = plan.destination.address.isV6
        self.init(
            destination: plan.destination.length == 0 ? nil : plan.destination, isV6: isV6, gateway: plan.gateway, source: plan.source,
            interface: index, table: domain ?? plan.table ?? Route.mainTable,
            // A route without a gateway ends on the link (RT_SCOPE_LINK).
            scope: plan.gateway == nil && !isV6 ? 253 : 0, priority: plan.metric)
        if plan.isOnLink == true { flags = UInt32(RTNH_F_ONLINK) }
        if let mtu = plan.mtu { set(mtu: mtu) }
    }
}
