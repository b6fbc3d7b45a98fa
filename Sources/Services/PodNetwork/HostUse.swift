// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Netlink
import NetworkModel

extension HostNetwork {
    /// The step of errors about devices that stay on the host.
    private static let take = "take from the host"

    /// Checks in the kernel that devices may move into a pod: each interface is the planned one, RDMA devices belong to the devices of
    /// the plan, and the host uses none of them. A plan can be days old, and its writer can be wrong.
    ///
    /// - Parameters:
    ///   - devices: with the records of their interfaces.
    ///   - movesRDMA: true if RDMA devices move too.
    ///   - known: the tables of the host, if they have been read already.
    /// - Throws: an error that names the device that differs from its plan, or the use by the host.
    func checkUse(_ devices: [(plan: DevicePlan, record: HostRecord?)], movesRDMA: Bool, _ known: HostRouting?) throws(PodNetworkError) {
        /// Interfaces that stay on the host, but must not be in use either.
        var others: [(label: String, name: String)] = []
        let parts = DeviceParts(sysfs: sysfs)
        for (plan, record) in devices {
            if let record, let interface = plan.interface, let difference = record.difference(from: interface) {
                throw PodNetworkError(
                    .otherDevice, record.name, Self.take, "\(difference); delete the pod, so that another device can be allocated")
            }
            let device = record?.parentDevice ?? plan.access?.address
            if movesRDMA, let rdma = plan.rdmaDevice, record?.softwareRDMA?.name != rdma {
                others += try parts.interfaces(ofRDMADevice: rdma, of: device).map { (rdma, $0) }
            }
            if let function = plan.virtualFunction { others.append((record?.name ?? plan.device, function.parent)) }
            if let record, let device = record.parentDevice, plan.interface?.child == nil {
                others += parts.virtualInterfaces(of: device).map { (record.name, $0) }
            }
        }
        guard let first = devices.first(where: { $0.record != nil })?.record?.name ?? others.first?.label else { return }
        let (links, uses) = try Self.step(first, "read the host's uses") { () throws(NetlinkError) in
            var routing: HostRouting
            if let known { routing = known } else { routing = try socket.hostRouting() }
            for address in apiServers {
                // An address without a route uses no interface.
                guard let route = try? socket.route(to: address) else { continue }
                routing.paths.append(.init(HostUse(.apiServer, address.description), route))
            }
            return (routing.links, routing.uses(nodeAddresses: nodeAddresses))
        }
        for (plan, record) in devices {
            guard let record, let interface = plan.interface else { continue }
            // The kernel would refuse to move it, but the roll-back would still change its settings.
            if links.contains(where: { $0.index == record.index && $0.isLoopback }) {
                throw PodNetworkError(.inUse, record.name, Self.take, "the host's loopback interface cannot be claimed")
            }
            if let use = uses[record.index], use.forbids(interface) {
                throw PodNetworkError(.inUse, record.name, Self.take, "the host uses the interface: \(use)")
            }
            if interface.child == nil, record.hasNoUpper == false {
                throw PodNetworkError(
                    .stacked, record.name, Self.take,
                    "an interface of another network namespace is stacked on this interface, and would send and receive with it in the pod; remove that interface first"
                )
            }
        }
        for (label, name) in others {
            guard let link = links.first(where: { $0.name == name }), let use = uses[link.index], use.isVital else { continue }
            throw PodNetworkError(.inUse, label, Self.take, "the host uses interface \(name), which depends on this device: \(use)")
        }
    }
}

extension HostUse {
    /// This check does not know which policy publishes a NIC although a route through a gateway uses it. An interface that is created for
    /// the pod does not affect others on the same parent.
    fileprivate func forbids(_ plan: InterfacePlan) -> Bool {
        isVital || kind != .gatewayRoute && plan.child == nil
    }

    /// True for a use without which the node is unreachable.
    fileprivate var isVital: Bool {
        switch kind {
        case .gatewayRoute, .upperInterface, .port: false
        case .defaultRoute, .nodeAddress, .apiServer, .peer, .podNetwork: true
        }
    }
}

extension HardwareAddress {
    /// The permanent part of the address: an InfiniBand address begins with a queue pair, which changes with every load of the driver
    /// (RFC 4391).
    fileprivate var identity: ArraySlice<UInt8> { bytes.count == 20 ? bytes.suffix(8) : bytes[...] }
}

extension HostRecord {
    /// Describes how the interface differs from the planned one; nil if they are equal.
    fileprivate func difference(from plan: InterfacePlan) -> String? {
        if let planned = plan.parentDevice, planned != parentDevice {
            return "the interface belongs to \(parentDevice.map { "device \($0)" } ?? "no device"), but the plan has device \(planned)"
        }
        if let planned = plan.permanentAddress, planned.identity != permanentAddress?.identity {
            return
                "the permanent address is \(permanentAddress.map(\.description) ?? "unknown"), but was \(planned) when the claim was prepared"
        }
        return nil
    }
}
