// SPDX-License-Identifier: Apache-2.0

package import JournalModel
package import Linux
import Netlink
package import NetworkModel

/// Moves devices between the host and a pod: all of a pod's or none.
///
/// In the pod an interface is found by its number, and hardware also by its device. On the host it is found by the settings that it was made
/// with, and a virtual one by the inode of its folder in sysfs, which no other interface ever has. RDMA devices move before their
/// interfaces, both ways, so that the devices see the interfaces arrive.
///
/// What is done together goes to the kernel together: one datagram of requests for all interfaces. Most of the time of a move
/// is the kernel's own, in which it waits for all processors to have seen it.
package struct PodNetwork {
    let host: HostNetwork
    /// Where the files of sysctl(8) are, which act on the namespace of the thread that writes them.
    let sysctls: String

    /// The namespace of the calling thread is the host's.
    ///
    /// - Parameters:
    ///   - sysfs: the path where sysfs is mounted.
    ///   - nodeAddresses: addresses of the node: the host uses the interfaces that lead to them.
    ///   - apiServers: addresses of the API server, likewise.
    package init(
        sysfs: String = "/sys", sysctls: String = "/proc/sys", nodeAddresses: [IPAddress] = [], apiServers: [IPAddress] = []
    ) throws(PodNetworkError) {
        host = try HostNetwork(sysfs: sysfs, nodeAddresses: nodeAddresses, apiServers: apiServers)
        self.sysctls = sysctls
    }

    /// The identity of the host's network namespace.
    package var hostNamespace: FileIdentity { host.namespace.identity }

    /// Each is readable when a search that a restore waits for has ended.
    package var searchDescriptors: [Descriptor] { host.searchDescriptors }

    /// A device to attach: its plan, and its record on the host.
    package struct AttachRequest: Sendable {
        package var device: String
        package var plan: InterfacePlan?
        /// The interface on the host: the one that goes, or the one below the pod's.
        package var record: HostRecord?
        /// Set only where RDMA devices have to be moved.
        package var rdmaDevice: String?
        /// The settings of a virtual function that its physical one sets, planned and recorded.
        package var virtualFunction: (plan: VirtualFunctionPlan, record: VirtualFunctionRecord)?

        package init(device: String, plan: InterfacePlan?, record: HostRecord?, rdmaDevice: String? = nil) {
            self.device = device
            self.plan = plan
            self.record = record
            self.rdmaDevice = rdmaDevice
        }

        /// What messages call it.
        var label: String { record?.name ?? rdmaDevice ?? device }
        var isChild: Bool { plan?.child != nil }
        /// RDMA in software that the interface's move ends.
        var movedSoftware: SoftwareRDMA? { isChild ? nil : record?.softwareRDMA }
    }

    /// What a device has in the pod.
    package struct AttachedInterface: Hashable, Sendable {
        package var index: Int32?
        package var hardwareAddress: HardwareAddress?
        package var addresses: [IPPrefix]
    }

    // MARK: Attach

    /// Moves the devices into the pod and sets them up. If one fails, all go back.
    ///
    /// The order is the one the kernel needs: RDMA devices, which hear of what happens to their interfaces; all interfaces,
    /// each moved and renamed in one message while down; then what needs them down, addresses, up, routes on the link, routes
    /// behind a gateway, rules, neighbours.
    ///
    /// - Parameter record: writes the requests down. It is called once, before anything is changed, and nothing is changed if it throws.
    /// - Returns: one for each request.
    package func attach(
        _ orders: [AttachRequest], to namespace: NetworkNamespace, record: () throws(PodNetworkError) -> Void
    ) throws(PodNetworkError) -> [AttachedInterface] {
        guard !orders.isEmpty else { return [] }
        try record()
        do throws(PodNetworkError) {
            for order in orders {
                if let function = order.virtualFunction { try host.configure(function.plan, over: function.record) }
            }
            try moveRDMADevices(orders, to: namespace)
            try moveInterfaces(orders, to: namespace)
            let results = try inside(namespace) { (pod) throws(PodNetworkError) in
                try PodConfigurator(socket: pod, ethtool: host.ethtool, sysctls: sysctls).setUp(orders)
            }
            let software = orders.compactMap { order in
                order.movedSoftware.flatMap { device in order.plan.map { (device: device, netdev: $0.name) } }
            }
            for entry in software.sorted(by: { $0.device.nodeNumber < $1.device.nodeNumber }) {
                try host.remake(entry.device, over: entry.netdev, in: namespace)
            }
            return results
        } catch {
            var failure = error
            for (device, problem) in restore(orders.map(RestoreRequest.init), from: namespace) {
                failure.reason += "; and \(device) could not be brought back: \(problem)"
            }
            throw failure
        }
    }

    private func moveRDMADevices(_ orders: [AttachRequest], to namespace: NetworkNamespace) throws(PodNetworkError) {
        let orders = orders.filter { $0.rdmaDevice != nil && $0.movedSoftware == nil }
        guard let rdma = host.rdma, !orders.isEmpty else { return }
        let devices = try HostNetwork.step("*", "list RDMA devices") { () throws(NetlinkError) in try rdma.devices() }
        for order in orders {
            guard let name = order.rdmaDevice else { continue }
            guard let index = devices[name] else { throw PodNetworkError(name, "move into the pod", "the RDMA device is not on the host") }
            try HostNetwork.step(name, "move into the pod") { () throws(NetlinkError) in
                try rdma.move(index, named: name, to: namespace.descriptor.raw)
            }
        }
    }

    private func moveInterfaces(_ orders: [AttachRequest], to namespace: NetworkNamespace) throws(PodNetworkError) {
        let moving = orders.filter { $0.plan != nil }
        var requests: [NetlinkRequest] = []
        for order in moving {
            guard let plan = order.plan, let record = order.record else {
                throw PodNetworkError(order.label, "move into the pod", "its interface on the host is not known")
            }
            if let child = plan.child {
                requests.append(child.request(plan, on: record, namespace.descriptor.raw))
            } else {
                requests.append(
                    .change(
                        record.index, LinkChange(name: plan.name, namespace: namespace.descriptor.raw),
                        "move it into the pod as \(plan.name)"))
            }
        }
        guard !requests.isEmpty else { return }
        let failures = try HostNetwork.step(moving[0].label, "move into the pod") { () throws(NetlinkError) in
            try host.socket.execute(all: requests)
        }
        // The kernel can report that a name is taken although it has moved the interface under its old name; restoring looks
        // on both sides.
        if let failure = failures.first { throw PodNetworkError(moving[failure.index].label, "move into the pod", failure.error) }
    }

    // MARK: Look

    /// True when every device is in the namespace.
    package func areAttached(_ returns: [RestoreRequest], in namespace: NetworkNamespace) throws(PodNetworkError) -> Bool {
        try inside(namespace) { (pod) throws(PodNetworkError) in
            let links = try returns.links(pod).links
            guard returns.allSatisfy({ $0.podName == nil || $0.find(in: links) != nil }) else { return false }
            let moved = returns.compactMap(\.rdmaDevice)
            guard !moved.isEmpty else { return true }
            let devices = try HostNetwork.step("*", "list the pod's RDMA devices") { () throws(NetlinkError) in
                try RDMANetlink().devices()
            }
            return moved.allSatisfy { devices[$0] != nil }
        }
    }

    /// Runs the closure on a thread in the namespace, with a socket of that namespace.
    func inside<Value>(
        _ namespace: NetworkNamespace, _ body: (NetlinkSocket) throws(PodNetworkError) -> Value
    ) throws(PodNetworkError) -> Value {
        try host.inside.run(in: namespace) { () throws(PodNetworkError) in
            let socket = try HostNetwork.step("*", "open a socket in the pod") { () throws(NetlinkError) in
                try NetlinkSocket(forDumps: false, sharing: host.socket)
            }
            return try body(socket)
        } entering: { error in
            PodNetworkError("*", "enter the pod's network namespace", error)
        }
    }
}

extension ChildInterface {
    /// The request that makes the pod's interface on one of the host, straight in the pod.
    func request(_ plan: InterfacePlan, on parent: HostRecord, _ namespace: Int32) -> NetlinkRequest {
        // linux/if_link.h: IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE and IFLA_VLAN_ID are all attribute 1 of their kind.
        .addLink(plan.name, kind: kind.rawValue, parent: parent.index, address: plan.hardwareAddress, namespace: namespace) { data in
            switch kind {
            case .macvlan: if let mode { data.attribute(1, integer: mode) }
            case .ipvlan: if let mode { data.attribute(1, integer: UInt16(truncatingIfNeeded: mode)) }
            case .vlan: data.attribute(1, integer: vlan ?? 0)
            }
        }
    }
}
