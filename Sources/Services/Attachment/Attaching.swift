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
        let requests: [PodNetwork.AttachRequest]
        do throws(PodNetworkError) { requests = try network.requests(for: plan) } catch {
            throw InjectionError("claim \(plan.claim): \(error)")
        }
        guard !requests.isEmpty else { return false }
        state.attachments += requests.map { attachment($0, place) }
        held[place.identity] = place.namespace
        let results: [PodNetwork.AttachedInterface]
        do throws(PodNetworkError) {
            results = try network.attach(requests, to: place.namespace) { () throws(PodNetworkError) in
                do throws(InjectionError) { try write(state) } catch { throw PodNetworkError("*", "record the attachments", error) }
            }
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
                    "\(requests.map { "\($0.record?.name ?? $0.rdmaDevice ?? $0.device) as \($0.plan?.name ?? "it is")" }.joined(separator: ", "))",
            ])
        return true
    }

    private func attachment(_ request: PodNetwork.AttachRequest, _ place: Place) -> Attachment {
        var attachment = Attachment(
            phase: .moving, device: request.device, podUID: place.sandbox.podUID, sandbox: place.sandbox.id, namespacePath: place.path,
            namespace: place.identity, podName: request.plan?.name, host: request.plan?.child == nil ? request.record : nil)
        attachment.hardwareAddress = request.plan?.hardwareAddress
        attachment.rdmaDevice = request.rdmaDevice
        attachment.vrf = request.plan?.vrf?.name
        attachment.virtualFunction = request.virtualFunction?.record
        for family in request.plan?.leaseFamilies ?? [] { attachment[family] = .awaited }
        return attachment
    }
}
