// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging
import NetworkModel
import PodNetwork

extension PodInjector {
    /// Brings into the pod what the plan says and is not there.
    ///
    /// - Returns: false when everything was there.
    func attach(_ plan: ClaimPlan, to sandbox: Sandbox) throws(InjectionError) -> Bool {
        guard plan.hasInterfaces else { return false }
        guard let path = sandbox.namespacePath else {
            // What needs no namespace of its own is seen from the host's.
            guard plan.devices.contains(where: { $0.interface != nil }) else { return false }
            throw InjectionError(
                "claim \(plan.claim): pod \(sandbox.pod) runs in the host's network, which cannot be given an interface; take hostNetwork out of the pod, or claim a device without an interface"
            )
        }
        let namespace: NetworkNamespace
        do throws(SystemError) { namespace = try NetworkNamespace(path: path) } catch {
            throw InjectionError("claim \(plan.claim): \(error)")
        }
        let identity = namespace.identity
        let place = Place(sandbox: sandbox, path: path, namespace: namespace)
        var state = try readState(plan.claim.uid) ?? ClaimState(claim: plan.claim, attachments: [])
        if try isComplete(plan, state, place) {
            try startClients(plan, state, identity)
            return false
        }
        for other in state.attachments where other.namespace != identity && isAlive(other) {
            // Each pod gets an interface of its own where they are made for it.
            if other.host != nil || other.rdmaDevice != nil {
                throw InjectionError("claim \(plan.claim): device \(other.device) (\(other.label)) is still in another pod's sandbox")
            }
        }
        // What is half-way, or where no pod is any more, goes back first: then there is one way only.
        try detach(&state) { $0.namespace == identity || !isAlive($0) }
        return try attachAnew(plan, state, place)
    }

    private struct Place {
        var sandbox: Sandbox
        var path: String
        var namespace: NetworkNamespace
        var identity: FileIdentity { namespace.identity }
    }

    /// True when the pod has all that the plan says; the sandbox's name is brought up to date.
    private func isComplete(_ plan: ClaimPlan, _ state: ClaimState, _ place: Place) throws(InjectionError) -> Bool {
        let here = state.attachments.filter { $0.namespace == place.identity }
        let movesRDMA = here.contains { $0.rdmaDevice != nil }
        let wanted = plan.devices.filter { $0.interface != nil || ($0.rdmaDevice != nil && movesRDMA) }.map(\.device)
        guard !here.isEmpty, wanted == here.map(\.device), here.allSatisfy({ $0.phase == .attached }),
            (try? network.areAttached(here.map(PodNetwork.RestoreRequest.init), in: place.namespace)) == true
        else { return false }
        if here.contains(where: { $0.sandbox != place.sandbox.id }) {
            var state = state
            for index in state.attachments.indices where state.attachments[index].namespace == place.identity {
                state.attachments[index].sandbox = place.sandbox.id
            }
            try write(state)
        }
        return true
    }

    private func attachAnew(_ plan: ClaimPlan, _ others: ClaimState, _ place: Place) throws(InjectionError) -> Bool {
        var state = others
        let start = state.attachments.count
        var orders: [PodNetwork.AttachRequest] = []
        do throws(PodNetworkError) {
            orders = try self.orders(plan)
            guard !orders.isEmpty else { return false }
            let functions = Dictionary(
                plan.devices.compactMap { device in device.virtualFunction.map { (device.device, $0) } },
                uniquingKeysWith: { first, _ in first })
            for order in orders {
                var attachment = Attachment(
                    phase: .moving, device: order.device, podUID: place.sandbox.podUID, sandbox: place.sandbox.id,
                    namespacePath: place.path, namespace: place.identity, podName: order.plan?.name,
                    host: order.plan?.child == nil ? order.record : nil)
                attachment.hardwareAddress = order.plan?.hardwareAddress
                attachment.rdmaDevice = order.rdmaDevice
                attachment.vrf = order.plan?.vrf?.name
                for family in order.plan?.leaseFamilies ?? [] { attachment[family] = .awaited }
                if let function = functions[order.device] {
                    try host.check(function, isDeviceOf: order.record)
                    attachment.virtualFunction = try host.record(function)
                }
                state.attachments.append(attachment)
            }
        } catch { throw InjectionError("claim \(plan.claim): \(error)") }
        try write(state)
        held[place.identity] = place.namespace
        let results: [PodNetwork.AttachedInterface]
        do throws(PodNetworkError) {
            for device in plan.devices {
                guard let function = device.virtualFunction,
                    let record = state.attachments[start...].first(where: { $0.device == device.device })?.virtualFunction
                else { continue }
                try host.configure(function, over: record)
            }
            results = try network.attach(orders, to: place.namespace)
        } catch {
            // The attempt was rolled back. What that did not bring back is in the state, and is tried again.
            try? detach(&state) { $0.phase == .moving && $0.namespace == place.identity }
            throw InjectionError("claim \(plan.claim): \(error)")
        }
        for (index, result) in zip(state.attachments.indices[start...], results) {
            state.attachments[index].phase = .attached
            state.attachments[index].addresses = result.addresses
            state.attachments[index].hardwareAddress = result.hardwareAddress
            state.attachments[index].podIndex = result.index
        }
        try write(state)
        try startClients(plan, state, place.identity)
        log.info(
            "attached",
            metadata: [
                "pod": "\(place.sandbox.pod)", "claim": "\(plan.claim)",
                "devices":
                    "\(orders.map { "\($0.record?.name ?? $0.rdmaDevice ?? $0.device) as \($0.plan?.name ?? "it is")" }.joined(separator: ", "))",
            ])
        return true
    }

    /// What is to be moved, with how it is now.
    private func orders(_ plan: ClaimPlan) throws(PodNetworkError) -> [PodNetwork.AttachRequest] {
        let movesRDMA = plan.devices.contains { $0.rdmaDevice != nil } ? try host.movesRDMA() : false
        let taken = plan.devices.compactMap { $0.interface.flatMap { $0.child == nil ? $0.hostName : nil } }
        let parents = plan.devices.compactMap { $0.interface.flatMap { $0.child != nil ? $0.hostName : nil } }
        let records = try host.records(taken) + host.records(parents, isTaken: false)
        let byName = Dictionary(records.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        try host.checkUse(
            plan.devices.map { device in (plan: device, record: device.interface.flatMap { byName[$0.hostName] }) }, movesRDMA: movesRDMA)
        return plan.devices.compactMap { device in
            let rdma = movesRDMA ? device.rdmaDevice : nil
            guard device.interface != nil || rdma != nil else { return nil }
            var order = PodNetwork.AttachRequest(
                device: device.device, plan: device.interface, record: device.interface.flatMap { byName[$0.hostName] }, rdmaDevice: rdma)
            order.isVirtual = device.virtualFunction != nil
            return order
        }
    }
}
