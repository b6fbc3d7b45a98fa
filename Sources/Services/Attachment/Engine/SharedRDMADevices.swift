// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import NetworkModel
import PodNetwork

/// Records RDMA devices in the kernel's shared mode: they do not move, and a program that opened one keeps it open beyond its pod.
///
/// ## Concurrency model
/// Used by one thread.
struct SharedRDMADevices {
    private let journal: AttachmentJournal
    private let network: PodNetwork

    init(_ journal: AttachmentJournal, network: PodNetwork) {
        self.journal = journal
        self.network = network
    }

    /// Records the contexts that the host has open of a claim's RDMA devices, before containers can open them.
    func record(_ plan: ClaimPlan) throws(AttachmentError) {
        guard plan.hasRDMANodes else { return }
        var devices: [SharedRDMADevice]
        do throws(PodNetworkError) { devices = try network.sharedRDMADevices(of: plan) } catch {
            throw AttachmentError(.attachFailed, "claim \(plan.claim)", step: "record its RDMA devices", error)
        }
        var state = try journal.state(plan.claim) ?? ClaimState(claim: plan.claim, attachments: [])
        guard !devices.isEmpty, state.sharedRDMADevices == nil else { return }
        // Several claims can have one NIC: contexts that those opened are not the host's.
        let others = others(state.claim)
        for index in devices.indices {
            if let other = others.first(where: { $0.name == devices[index].name }) { devices[index].contexts = other.contexts }
        }
        state.sharedRDMADevices = devices
        try journal.write(state)
    }

    /// Makes the recorded devices that no other claim has attachments in the phase `returning`: they are restored when no program has them
    /// open. The last one of several claims waits for that on behalf of all.
    func release(_ state: inout ClaimState) {
        guard let devices = state.sharedRDMADevices else { return }
        let others = Set(others(state.claim).map(\.name))
        for device in devices where !others.contains(device.name) {
            // It was in no namespace of a pod.
            var attachment = Attachment(
                phase: .returning, device: device.device, podUID: "", sandbox: "", namespacePath: "/",
                namespace: FileIdentity(device: 0, inode: 0), podName: nil, host: nil)
            attachment.sharedRDMADevice = device.name
            attachment.rdmaContexts = device.contexts
            state.attachments.append(attachment)
        }
        state.sharedRDMADevices = nil
    }

    /// The recorded devices of other claims.
    private func others(_ claim: ClaimIdentity) -> [SharedRDMADevice] {
        journal.states.filter { $0.claim.uid != claim.uid }.flatMap { $0.sharedRDMADevices ?? [] }
    }
}
