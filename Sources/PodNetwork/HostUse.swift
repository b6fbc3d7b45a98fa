// SPDX-License-Identifier: Apache-2.0

import Addressing
package import Journal
import Netlink

extension HostNetwork {
    /// Checks, by what the kernel says and not by the plan, that interfaces may be taken: each is the one that was planned, and the host
    /// itself does not use it. A plan can be days old, and whoever wrote it can be mistaken.
    ///
    /// - Throws: naming the interface that is another one by now, or that the host uses.
    package func checkUse(_ interfaces: [(plan: InterfacePlan, record: HostRecord)]) throws(PodNetworkError) {
        guard let first = interfaces.first else { return }
        for (plan, record) in interfaces {
            if let difference = record.difference(from: plan) {
                throw PodNetworkError(
                    record.name, "take it from the host", "\(difference); delete the pod to have a device allocated anew")
            }
        }
        let uses = try Self.step(first.record.name, "look what the host uses it for") { () throws(NetlinkError) in
            var routing = try socket.hostRouting()
            for address in apiServers {
                // An address that no route leads to is nobody's.
                guard let route = try? socket.route(to: address) else { continue }
                routing.paths.append(.init(HostUse(.apiServer, address.description), route))
            }
            return routing.uses(nodeAddresses: nodeAddresses)
        }
        for (plan, record) in interfaces {
            if let use = uses[record.index], use.forbids(plan) {
                throw PodNetworkError(record.name, "take it from the host", "the host uses it: \(use)")
            }
            if plan.child == nil, record.hasNoUpper == false {
                throw PodNetworkError(
                    record.name, "take it from the host",
                    "an interface of another network namespace is stacked on it, and its packets would be the pod's; remove that interface first"
                )
            }
        }
    }
}

extension HostUse {
    /// Which policy publishes a NIC in spite of a route through a gateway is not known here. An interface that is stacked on it for the
    /// pod leaves others that are stacked on it alone.
    fileprivate func forbids(_ plan: InterfacePlan) -> Bool {
        switch kind {
        case .gatewayRoute: false
        case .upperInterface, .port: plan.child == nil
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
