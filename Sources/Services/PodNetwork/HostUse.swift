// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Netlink
import NetworkModel

extension HostNetwork {
    /// The step of errors about devices that stay with the host.
    private static let take = "take it from the host"

    /// Checks, by what the kernel says and not by the plan, that devices may be taken: each interface is the one that was planned, RDMA
    /// devices belong to the devices of the plan, and the host itself uses none of it. A plan can be days old, and
    /// its writer can be mistaken.
    ///
    /// - Parameters:
    ///   - devices: with the records of their interfaces.
    ///   - movesRDMA: true when RDMA devices are taken, too.
    ///   - known: the tables of the host, if they have been read already.
    /// - Throws: naming what is another one by now, or what the host uses.
    func checkUse(_ devices: [(plan: DevicePlan, record: HostRecord?)], movesRDMA: Bool, _ known: HostRouting?) throws(PodNetworkError) {
        /// Interfaces that are not taken themselves, and must not be in use either.
        var others: [(label: String, name: String)] = []
        let parts = DeviceParts(sysfs: sysfs)
        for (plan, record) in devices {
            if let record, let interface = plan.interface, let difference = record.difference(from: interface) {
                throw PodNetworkError(
                    .otherDevice, record.name, Self.take, "\(difference); delete the pod to have a device allocated anew")
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
        let (links, uses) = try Self.step(first, "read the uses of it by the host") { () throws(NetlinkError) in
            var routing: HostRouting
            if let known { routing = known } else { routing = try socket.hostRouting() }
            for address in apiServers {
                // An address that no route leads to belongs to no interface.
                guard let route = try? socket.route(to: address) else { continue }
                routing.paths.append(.init(HostUse(.apiServer, address.description), route))
            }
            return (routing.links, routing.uses(nodeAddresses: nodeAddresses))
        }
        for (plan, record) in devices {
            guard let record, let interface = plan.interface else { continue }
            // The kernel would refuse the move, and the attempt takes down what is not restored alike.
            if links.contains(where: { $0.index == record.index && $0.isLoopback }) {
                throw PodNetworkError(.inUse, record.name, Self.take, "it is the host's loopback interface, which no claim can have")
            }
            if let use = uses[record.index], use.forbids(interface) {
                throw PodNetworkError(.inUse, record.name, Self.take, "the host uses it: \(use)")
            }
            if interface.child == nil, record.hasNoUpper == false {
                throw PodNetworkError(
                    .stacked, record.name, Self.take,
                    "an interface of another network namespace is stacked on it, and its packets would be the pod's; remove that interface first"
                )
            }
        }
        for (label, name) in others {
            guard let link = links.first(where: { $0.name == name }), let use = uses[link.index], use.isVital else { continue }
            throw PodNetworkError(.inUse, label, Self.take, "the host uses interface \(name), which depends on it: \(use)")
        }
    }
}

extension HostUse {
    /// Which policy publishes a NIC in spite of a route through a gateway is not known here. An interface that is stacked on it for the
    /// pod leaves others that are stacked on it alone.
    fileprivate func forbids(_ plan: InterfacePlan) -> Bool {
        isVital || kind != .gatewayRoute && plan.child == nil
    }

    /// True for a use without which the node cannot be reached.
    fileprivate var isVital: Bool {
        switch kind {
        case .gatewayRoute, .upperInterface, .port: false
        case .defaultRoute, .nodeAddress, .apiServer, .peer, .podNetwork: true
        }
    }
}

extension HardwareAddress {
    /// The part that stays: an address of InfiniBand begins with a queue pair, which is another one after every load of the driver (RFC 4391).
    fileprivate var identity: ArraySlice<UInt8> { bytes.count == 20 ? bytes.suffix(8) : bytes[...] }
}

extension HostRecord {
    /// Describes how the interface differs from the planned one; nil when it does not.
    fileprivate func difference(from plan: InterfacePlan) -> String? {
        if let planned = plan.parentDevice, planned != parentDevice {
            return "it belongs to \(parentDevice.map { "device \($0)" } ?? "no device"), and was planned as that of device \(planned)"
        }
        if let planned = plan.permanentAddress, planned.identity != permanentAddress?.identity {
            return
                "its permanent address is \(permanentAddress.map(\.description) ?? "not known"), and was \(planned) when the claim was prepared"
        }
        return nil
    }
}
