// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging
import NetworkModel
import PodNetwork

/// Attaches the devices of claims to pods: all devices of a claim, or none.
///
/// Plans hold the desired state, and states the observed state. The state is written before the kernel is changed, so that this program
/// can be killed between any two steps.
///
/// ## Concurrency model
/// Used by one thread. Work inside a pod's namespace runs on another thread, which has ended when a call returns.
final class AttachmentEngine {
    private let journal: AttachmentJournal
    private let network: PodNetwork
    private let sandboxes: SandboxTable
    private let namespaces: NamespaceTable
    private let leases: LeaseManager
    private let detacher: Detacher
    private let log: Logger

    init(
        _ journal: AttachmentJournal, network: PodNetwork, sandboxes: SandboxTable, namespaces: NamespaceTable,
        leases: LeaseManager, detacher: Detacher, log: Logger
    ) {
        (self.journal, self.network) = (journal, network)
        (self.sandboxes, self.namespaces, self.leases, self.detacher) = (sandboxes, namespaces, leases, detacher)
        self.log = log
    }

    /// The destination of an attach.
    private struct Target {
        var sandbox: Sandbox
        var path: String
        var namespace: NetworkNamespace
        var identity: FileIdentity { namespace.identity }
    }

    /// Attaches the devices of a plan that the pod lacks.
    ///
    /// - Returns: false if the pod already had all devices.
    /// - Throws: ``AttachmentError``, after all steps of the attempt were rolled back.
    func attach(_ plan: ClaimPlan, to sandbox: Sandbox) throws(AttachmentError) -> Bool {
        guard plan.hasInterfaces, let target = try target(of: plan, sandbox) else { return false }
        var state = try journal.state(plan.claim) ?? ClaimState(claim: plan.claim, attachments: [])
        if try isComplete(plan, state, target) {
            try leases.startClients(state, in: target.identity)
            return false
        }
        for other in state.attachments where other.namespace != target.identity && sandboxes.mayHold(other) {
            // Only interfaces that are created for a pod, and not moved from the host, exist once for each pod that shares the claim.
            if other.host != nil || other.rdmaDevice != nil {
                throw AttachmentError(
                    .deviceInUse, "claim \(plan.claim)", "device \(other.device) (\(other.label)) is still in another pod's sandbox")
            }
        }
        // A partial attach, or an attach to an ended pod, is restored first, so that every attach starts from the host.
        try detacher.detach(&state) { $0.namespace == target.identity || !sandboxes.mayHold($0) }
        return try attachAll(plan, &state, target)
    }

    /// - Returns: nil for a pod in the host's network whose claim has no interface: the pod uses the devices on the host.
    private func target(of plan: ClaimPlan, _ sandbox: Sandbox) throws(AttachmentError) -> Target? {
        guard let path = sandbox.namespacePath else {
            guard plan.devices.contains(where: { $0.interface != nil }) else { return nil }
            throw AttachmentError(
                .hostNetwork, "claim \(plan.claim)",
                "pod \(sandbox.pod) runs in the host's network, to which no interface can be attached; remove hostNetwork from the pod, or claim a device without an interface"
            )
        }
        do throws(SystemError) { return Target(sandbox: sandbox, path: path, namespace: try NetworkNamespace(path: path)) } catch {
            throw AttachmentError(.noNamespace, "claim \(plan.claim)", step: "open the pod's network namespace", error)
        }
    }

    /// True if the pod has all devices of the plan. Updates the sandbox's name in the state.
    private func isComplete(_ plan: ClaimPlan, _ state: ClaimState, _ target: Target) throws(AttachmentError) -> Bool {
        let here = state.attachments.filter { $0.namespace == target.identity }
        let movesRDMA = here.contains { $0.rdmaDevice != nil }
        let desired = plan.devices.filter { $0.interface != nil || ($0.rdmaDevice != nil && movesRDMA) }.map(\.device)
        guard !here.isEmpty, desired == here.map(\.device), here.allSatisfy({ $0.phase == .attached }),
            (try? network.areAttached(here.map(PodNetwork.RestoreRequest.init), in: target.namespace)) == true
        else { return false }
        if here.contains(where: { $0.sandbox != target.sandbox.id }) {
            var state = state
            for index in state.attachments.indices where state.attachments[index].namespace == target.identity {
                state.attachments[index].sandbox = target.sandbox.id
            }
            try journal.write(state)
        }
        return true
    }

    private func attachAll(_ plan: ClaimPlan, _ state: inout ClaimState, _ target: Target) throws(AttachmentError) -> Bool {
        let start = state.attachments.count
        let requests: [PodNetwork.AttachRequest]
        do throws(PodNetworkError) { requests = try network.requests(for: plan) } catch {
            throw AttachmentError(.attachFailed, "claim \(plan.claim)", error)
        }
        guard !requests.isEmpty else { return false }
        state.attachments += requests.map { attachment($0, target) }
        namespaces.hold(target.namespace)
        let attached = try move(requests, &state, target)
        for (index, interface) in zip(state.attachments.indices[start...], attached) {
            state.attachments[index].phase = .attached
            state.attachments[index].addresses = interface.addresses
            state.attachments[index].hardwareAddress = interface.hardwareAddress
            state.attachments[index].podIndex = interface.index
        }
        try journal.write(state)
        try leases.startClients(state, in: target.identity)
        let devices = requests.map { "\($0.record?.name ?? $0.rdmaDevice ?? $0.device) as \($0.plan?.name ?? "itself")" }
        log.info(
            "claim attached",
            metadata: ["pod": "\(target.sandbox.pod)", "claim": "\(plan.claim)", "devices": "\(devices.joined(separator: ", "))"])
        return true
    }

    /// Moves the devices, after the state was written.
    private func move(
        _ requests: [PodNetwork.AttachRequest], _ state: inout ClaimState, _ target: Target
    ) throws(AttachmentError) -> [PodNetwork.AttachedInterface] {
        var journalError: AttachmentError?
        do throws(PodNetworkError) {
            return try network.attach(requests, to: target.namespace) { () throws(PodNetworkError) in
                do throws(AttachmentError) { try journal.write(state) } catch {
                    journalError = error
                    throw PodNetworkError(.journal, "host", "write the state", error)
                }
            }
        } catch {
            // The attempt was rolled back. Devices that the roll-back could not restore stay in the state for a later restore.
            try? detacher.detach(&state) { $0.phase == .moving && $0.namespace == target.identity }
            throw journalError ?? AttachmentError(.attachFailed, "claim \(state.claim)", error)
        }
    }

    /// The record of a device before its move.
    private func attachment(_ request: PodNetwork.AttachRequest, _ target: Target) -> Attachment {
        var attachment = Attachment(
            phase: .moving, device: request.device, podUID: target.sandbox.podUID, sandbox: target.sandbox.id,
            namespacePath: target.path, namespace: target.identity, podName: request.plan?.name,
            host: request.plan?.child == nil ? request.record : nil)
        attachment.hardwareAddress = request.plan?.hardwareAddress
        attachment.rdmaDevice = request.rdmaDevice
        attachment.vrf = request.plan?.vrf?.name
        attachment.virtualFunction = request.virtualFunction?.record
        for family in request.plan?.leaseFamilies ?? [] { attachment[family] = .awaited }
        return attachment
    }
}
