// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import PodNetwork

/// Records RDMA devices in the kernel's shared mode: they do not move, and a process can keep them open after its pod has ended.
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

    /// Records the contexts that host processes have open on a claim's RDMA devices, before containers can open any.
    func record(_ plan: ClaimPlan) throws(AttachmentError) {
        guard plan.hasRDMANodes else { return }
        var devices: [SharedRDMADevice]
        do throws(PodNetworkError) { devices = try network.sharedRDMADevices(of: plan) } catch {
            throw AttachmentError(.attachFailed, "claim \(plan.claim)", step: "record its RDMA devices", error)
        }
        var state = try journal.state(plan.claim) ?? ClaimState(claim: plan.claim, attachments: [])
        guard !devices.isEmpty, state.sharedRDMADevices == nil else { return }
        // Claims can share a NIC: contexts opened by their containers are not the host's.
        let others = others(state.claim)
        for index in devices.indices {
            if let other = others.first(where: { $0.name == devices[index].name }) { devices[index].contexts = other.contexts }
        }
        state.sharedRDMADevices = devices
        try journal.write(state)
    }

    /// Turns the recorded devices that no other claim uses into attachments in the phase `returning`: they are restored once no process
    /// has them open. Of several claims that share a device, the last one waits.
    func release(_ state: inout ClaimState) {
        guard let devices = state.sharedRDMADevices else { return }
        let others = Set(others(state.claim).map(\.name))
        state.attachments += devices.filter { !others.contains($0.name) }.map(Attachment.init(returning:))
        state.sharedRDMADevices = nil
    }

    /// The recorded devices of all other claims.
    private func others(_ claim: ClaimIdentity) -> [SharedRDMADevice] {
        journal.states.filter { $0.claim.uid != claim.uid }.flatMap { $0.sharedRDMADevices ?? [] }
    }
}
