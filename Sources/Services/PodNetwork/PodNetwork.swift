// SPDX-License-Identifier: Apache-2.0

package import JournalModel
package import Linux
import Netlink
package import NetworkModel

/// Moves devices between the host and a pod: all devices of a claim, or none. No other code of `nearside-nri` changes the host's network.
///
/// An interface in the pod is identified by its number, and hardware also by its device. On the host it is identified by its recorded
/// settings, and a virtual interface by the inode of its folder in sysfs, which is unique. RDMA devices move before their interfaces in
/// both directions, so that they receive the events of the interfaces' arrival.
///
/// The steps of all interfaces go to the kernel in one datagram of requests. Most of the time of a move passes in the kernel, which waits
/// for a grace period of RCU.
package struct PodNetwork {
    let host: HostNetwork
    /// The folder of sysctls, which apply to the namespace of the thread that writes them.
    let sysctls: String

    /// The calling thread must be in the host's network namespace.
    ///
    /// - Parameters:
    ///   - sysfs: the mount point of sysfs.
    ///   - sysctls: the path of a writable `/proc/sys`.
    ///   - nodeAddresses: addresses of the node. Interfaces that lead to them are in use by the host.
    ///   - apiServers: addresses of the API server. Interfaces that lead to them are in use by the host.
    package init(
        sysfs: String = "/sys", sysctls: String = "/proc/sys", nodeAddresses: [IPAddress] = [], apiServers: [IPAddress] = []
    ) throws(PodNetworkError) {
        host = try HostNetwork(sysfs: sysfs, nodeAddresses: nodeAddresses, apiServers: apiServers)
        self.sysctls = sysctls
    }

    /// The identity of the host's network namespace.
    package var hostNamespace: FileIdentity { host.namespace.identity }

    /// Descriptors that become readable when a search ends that a restore waits for.
    package var searchDescriptors: [Descriptor] { host.searchDescriptors }

    /// A device to attach: its plan, and its record on the host.
    package struct AttachRequest: Sendable {
        package var device: String
        package var plan: InterfacePlan?
        /// The interface on the host: the moved interface, or the parent of the pod's interface.
        package var record: HostRecord?
        /// Nil unless RDMA devices move.
        package var rdmaDevice: String?
        /// The settings of a virtual function that belong to its physical function, planned and recorded.
        package var virtualFunction: (plan: VirtualFunctionPlan, record: VirtualFunctionRecord)?

        package init(device: String, plan: InterfacePlan?, record: HostRecord?, rdmaDevice: String? = nil) {
            self.device = device
            self.plan = plan
            self.record = record
            self.rdmaDevice = rdmaDevice
        }

        /// The device's name in errors.
        var label: String { record?.name ?? rdmaDevice ?? device }
        var isChild: Bool { plan?.child != nil }
        /// The software RDMA device that ends when the interface moves.
        var movedSoftware: SoftwareRDMA? { isChild ? nil : record?.softwareRDMA }

        func step(_ name: String, _ request: NetlinkRequest, harmless: [Int32] = []) -> Step {
            Step(device: device, object: label, name: name, request: request, harmless: harmless)
        }
    }

    /// A device's interface in the pod.
    package struct AttachedInterface: Hashable, Sendable {
        package var index: Int32?
        package var hardwareAddress: HardwareAddress?
        package var addresses: [IPPrefix]
    }

    // MARK: Attach

    /// Moves the devices into the pod and sets them up. If a step fails, all devices return to the host.
    ///
    /// The order follows the kernel's dependencies: virtual functions by their physical ones; RDMA devices, which receive the events of
    /// their interfaces; all interfaces, each moved and renamed in one message while down; settings that need the interface down,
    /// addresses, up, routes on the link, routes over a gateway, rules, neighbours; software RDMA over the arrived interfaces.
    ///
    /// - Parameter record: writes the requests to the journal. It is called once, before any change, and nothing changes if it throws.
    /// - Returns: one interface for each request.
    package func attach(
        _ requests: [AttachRequest], to namespace: NetworkNamespace, record: () throws(PodNetworkError) -> Void
    ) throws(PodNetworkError) -> [AttachedInterface] {
        guard !requests.isEmpty else { return [] }
        try record()
        do throws(PodNetworkError) {
            for request in requests {
                if let function = request.virtualFunction { try host.configure(function.plan, over: function.record) }
            }
            try moveRDMADevices(requests, to: namespace)
            try moveInterfaces(requests, to: namespace)
            let results = try inside(namespace) { (pod) throws(PodNetworkError) in
                try PodConfigurator(socket: pod, ethtool: host.ethtool, sysctls: sysctls).setUp(requests)
            }
            try remakeSoftwareRDMA(requests, in: namespace)
            return results
        } catch {
            var failure = error
            // Physical functions keep their settings until the claim is restored: a driver takes the present address of a virtual
            // function for its permanent one, and the next attempt could set no other.
            for (device, problem) in restoreDevices(requests.map(RestoreRequest.init), from: namespace, waits: true).byDevice {
                failure.cause += "; and \(device) could not be restored: \(problem)"
            }
            throw failure
        }
    }

    private func moveRDMADevices(_ requests: [AttachRequest], to namespace: NetworkNamespace) throws(PodNetworkError) {
        let names = requests.filter { $0.movedSoftware == nil }.compactMap(\.rdmaDevice)
        guard let rdma = host.rdma, !names.isEmpty else { return }
        let devices = try HostNetwork.step("host", "list RDMA devices") { () throws(NetlinkError) in try rdma.devices() }
        let step = "move into the pod"
        for name in names {
            guard let index = devices[name] else { throw PodNetworkError(.missing, name, step, "the RDMA device is not on the host") }
            try HostNetwork.step(name, step) { () throws(NetlinkError) in
                try rdma.move(index, named: name, to: namespace.descriptor.raw)
            }
        }
    }

    private func moveInterfaces(_ requests: [AttachRequest], to namespace: NetworkNamespace) throws(PodNetworkError) {
        let step = "move into the pod"
        var steps: [Step] = []
        for request in requests {
            guard let plan = request.plan else { continue }
            guard let record = request.record else {
                throw PodNetworkError(.missing, request.label, step, "the request has no record of the interface on the host")
            }
            let change = LinkChange(name: plan.name, namespace: namespace.descriptor.raw)
            let message =
                plan.child?.request(plan, on: record, namespace.descriptor.raw)
                ?? .change(record.index, change, "move into the pod as \(plan.name)")
            steps.append(request.step(step, message))
        }
        // The kernel can report a taken name although it has moved the interface under its old name. A restore searches both namespaces.
        if let failure = try host.socket.execute(steps).first { throw failure.error }
    }

    private func remakeSoftwareRDMA(_ requests: [AttachRequest], in namespace: NetworkNamespace) throws(PodNetworkError) {
        let software = requests.compactMap { request in
            request.movedSoftware.flatMap { device in request.plan.map { (device: device, netdev: $0.name) } }
        }
        for entry in software.sorted(by: { $0.device.nodeNumber < $1.device.nodeNumber }) {
            try host.remake(entry.device, over: entry.netdev, in: namespace)
        }
    }

    // MARK: Inspect

    /// True if all devices are in the namespace.
    package func areAttached(_ requests: [RestoreRequest], in namespace: NetworkNamespace) throws(PodNetworkError) -> Bool {
        try inside(namespace) { (pod) throws(PodNetworkError) in
            let links = try requests.links(pod).links
            guard requests.allSatisfy({ $0.podName == nil || $0.find(in: links) != nil }) else { return false }
            let moved = requests.compactMap(\.rdmaDevice)
            guard !moved.isEmpty else { return true }
            let devices = try HostNetwork.step("pod", "list RDMA devices") { () throws(NetlinkError) in
                try RDMANetlink().devices()
            }
            return moved.allSatisfy { devices[$0] != nil }
        }
    }

    /// Runs the closure on a thread in the namespace, with a socket in that namespace.
    func inside<Value>(
        _ namespace: NetworkNamespace, _ body: (NetlinkSocket) throws(PodNetworkError) -> Value
    ) throws(PodNetworkError) -> Value {
        try host.inside.run(in: namespace) { () throws(PodNetworkError) in
            let socket = try HostNetwork.step("pod", "open a socket") { () throws(NetlinkError) in
                try NetlinkSocket(forDumps: false, sharing: host.socket)
            }
            return try body(socket)
        } entering: { error in
            PodNetworkError(.refused, "pod", "enter the network namespace", error)
        }
    }
}

extension ChildInterface {
    /// The request that creates the pod's interface on a parent of the host, directly in the pod.
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
