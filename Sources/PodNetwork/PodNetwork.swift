// SPDX-License-Identifier: Apache-2.0

package import Addressing
import CLinux
package import Journal
package import Linux
import Netlink

/// Moves interfaces between the host and a pod: all of a pod's or none.
package struct PodNetwork {
    private let host: HostNetwork

    package init(host: HostNetwork) { self.host = host }

    /// An interface to attach: how it is to be, and how it was.
    package struct Order: Sendable {
        package var plan: InterfacePlan
        package var record: HostRecord

        package init(plan: InterfacePlan, record: HostRecord) {
            self.plan = plan
            self.record = record
        }
    }

    /// What an interface has in the pod.
    package struct Result: Hashable, Sendable {
        package var name: String
        package var hardwareAddress: HardwareAddress?
        package var addresses: [IPPrefix]
    }

    // MARK: Attach

    /// Moves the interfaces into the pod and sets them up. If one fails, all go back.
    ///
    /// The order is the one the kernel needs: move and rename in one message while down, then MTU and
    /// address of the link, IP addresses, up, routes on the link, routes behind a gateway.
    package func attach(
        _ orders: [Order], to namespace: NetworkNamespace
    ) throws(PodNetworkError) -> [Result] {
        guard !orders.isEmpty else { return [] }
        do throws(PodNetworkError) {
            return try inside(namespace) { (pod) throws(PodNetworkError) in
                var results: [Result] = []
                for order in orders {
                    let link = try move(order, to: namespace, pod)
                    results.append(try setUp(link, order, pod))
                }
                return results
            }
        } catch {
            var failure = error
            for order in orders.reversed() {
                do throws(PodNetworkError) {
                    try restore(order.record, podName: order.plan.name, from: namespace, isAltered: order.plan.hardwareAddress)
                } catch { failure.reason += "; and it could not be brought back: \(error)" }
            }
            throw failure
        }
    }

    /// The interface's index in the pod.
    private func move(
        _ order: Order, to namespace: NetworkNamespace, _ pod: NetlinkSocket
    ) throws(PodNetworkError) -> Link {
        let name = order.plan.name
        if let link = try find(order.record, order.plan.hardwareAddress, named: name, in: pod) { return link }
        do throws(NetlinkError) {
            try host.socket.change(
                order.record.index,
                LinkChange(name: name, namespace: namespace.descriptor.raw), "move it into the pod as \(name)")
        } catch {
            // The kernel can report that a name is taken although it has moved the interface under its
            // old name; restoring looks on both sides.
            throw PodNetworkError(order.record.name, "move into the pod", error)
        }
        guard let link = try find(order.record, order.plan.hardwareAddress, named: name, in: pod) else {
            throw PodNetworkError(order.record.name, "move into the pod", "the kernel reports success, but it is not there")
        }
        return link
    }

    private func setUp(_ link: Link, _ order: Order, _ pod: NetlinkSocket) throws(PodNetworkError) -> Result {
        let plan = order.plan
        let name = order.record.name
        let change = LinkChange(mtu: plan.mtu.map { UInt32($0) }, address: plan.hardwareAddress)
        if change.mtu.map({ $0 != link.mtu }) ?? false || change.address.map({ $0 != link.address }) ?? false {
            try HostNetwork.step(name, "set MTU and hardware address") { () throws(NetlinkError) in
                try pod.change(link.index, change, "set MTU \(plan.mtu.map(String.init) ?? "as it is") on \(plan.name)")
            }
        }
        let addresses = addresses(of: order, index: link.index)
        for address in addresses {
            try HostNetwork.step(name, "set an address") { () throws(NetlinkError) in try pod.setAddress(address) }
        }
        try HostNetwork.step(name, "bring it up") { () throws(NetlinkError) in
            try pod.change(link.index, LinkChange(isUp: true), "bring \(plan.name) up")
        }
        // A gateway can be reached only over a route that is there already.
        let routes = plan.routes.sorted { $0.gateway == nil && $1.gateway != nil }
        for route in routes {
            try HostNetwork.step(name, "set a route") { () throws(NetlinkError) in
                try pod.setRoute(
                    Route(
                        destination: route.destination.length == 0 ? nil : route.destination,
                        isV6: route.destination.address.isV6, gateway: route.gateway, source: route.source,
                        interface: link.index,
                        // A route without a gateway ends on the link (RT_SCOPE_LINK).
                        scope: route.gateway == nil && !route.destination.address.isV6 ? 253 : 0))
            }
        }
        return Result(
            name: plan.name, hardwareAddress: plan.hardwareAddress ?? link.address, addresses: addresses.map(\.prefix))
    }

    /// The planned addresses, or those it had on the host. IPv6 addresses are used at once: nobody else
    /// on the link can have an address that this interface has had all along or was given for its own.
    private func addresses(of order: Order, index: Int32) -> [InterfaceAddress] {
        let prefixes =
            order.plan.addresses
            ?? order.record.addresses
            .filter { !$0.prefix.address.isLinkLocal && $0.validLifetime == nil }.map(\.prefix)
        return prefixes.map { prefix in
            InterfaceAddress(index: index, prefix: prefix, flags: prefix.address.isV6 ? UInt32(IFA_F_NODAD) : 0)
        }
    }

    /// True when the interface is in the namespace under its name.
    package func isAttached(
        _ record: HostRecord, podName: String, isAltered: HardwareAddress?, in namespace: NetworkNamespace
    ) throws(PodNetworkError) -> Bool {
        try inside(namespace) { (pod) throws(PodNetworkError) in
            try find(record, isAltered, named: podName, in: pod) != nil
        }
    }

    // MARK: Restore

    /// Brings an interface back, wherever it is, and makes it what it was. Fine to do again.
    ///
    /// - Parameters:
    ///   - namespace: the pod's, nil when it is gone; then the kernel has returned a physical interface
    ///     to the host under the name it had in the pod.
    ///   - isAltered: the hardware address it was given for the pod.
    package func restore(
        _ record: HostRecord, podName: String, from namespace: NetworkNamespace?, isAltered: HardwareAddress?
    ) throws(PodNetworkError) {
        if let namespace {
            try inside(namespace) { (pod) throws(PodNetworkError) in
                // It is under the pod's name, or still under its own if the move broke off between.
                for name in [podName, record.name] {
                    guard let link = try find(record, isAltered, named: name, in: pod) else { continue }
                    try HostNetwork.step(record.name, "move back to the host") { () throws(NetlinkError) in
                        try pod.change(
                            link.index, LinkChange(name: record.name, namespace: host.namespace.descriptor.raw),
                            "move it back to the host as \(record.name)")
                    }
                    return
                }
            }
        }
        try restoreOnHost(record, podName: podName, isAltered: isAltered)
    }

    private func restoreOnHost(
        _ record: HostRecord, podName: String, isAltered: HardwareAddress?
    ) throws(PodNetworkError) {
        let socket = host.socket
        var found = try find(record, isAltered, named: record.name, in: socket)
        if found == nil { found = try find(record, isAltered, named: podName, in: socket) }
        guard let link = found else {
            throw PodNetworkError(record.name, "find it on the host", "it did not come back")
        }
        try HostNetwork.step(record.name, "make it what it was") { () throws(NetlinkError) in
            var change = LinkChange()
            if link.name != record.name { change.name = record.name }
            if link.mtu != record.mtu { change.mtu = record.mtu }
            if link.address != record.hardwareAddress { change.address = record.hardwareAddress }
            if (link.alias ?? "") != (record.alias ?? "") { change.alias = record.alias ?? "" }
            if change != LinkChange() {
                if link.isUp {
                    // Names and addresses of an interface that is up are refused by some drivers.
                    try socket.change(link.index, LinkChange(isUp: false), "bring \(link.name) down")
                }
                try socket.change(link.index, change, "restore \(record.name)")
            }
            for var address in record.addresses {
                address.index = link.index
                try socket.setAddress(address)
            }
            try socket.change(link.index, LinkChange(isUp: record.isUp), "set \(record.name) up or down as it was")
            guard record.isUp else { return }
            for var route in record.routes.sorted(by: { $0.gateway == nil && $1.gateway != nil }) {
                route.interface = link.index
                try socket.setRoute(route)
            }
        }
    }

    // MARK: Both sides

    /// The interface under that name, if it is the one that was recorded and not another of that name.
    private func find(
        _ record: HostRecord, _ isAltered: HardwareAddress?, named name: String, in socket: NetlinkSocket
    ) throws(PodNetworkError) -> Link? {
        let link = try HostNetwork.step(record.name, "look for it") { () throws(NetlinkError) in
            try socket.link(named: name)
        }
        guard let link else { return nil }
        let isSame = link.address == record.hardwareAddress || isAltered.map { $0 == link.address } ?? false
        return isSame ? link : nil
    }

    /// Runs the closure on a thread in the namespace, with a socket of that namespace.
    private func inside<Value>(
        _ namespace: NetworkNamespace, _ body: @escaping (NetlinkSocket) throws(PodNetworkError) -> Value
    ) throws(PodNetworkError) -> Value {
        try namespace.run { () throws(PodNetworkError) in
            let socket = try HostNetwork.step("*", "open a socket in the pod") { () throws(NetlinkError) in
                try NetlinkSocket()
            }
            return try body(socket)
        } entering: { error in
            PodNetworkError("*", "enter the pod's network namespace", error)
        }
    }
}
