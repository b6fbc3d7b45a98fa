// SPDX-License-Identifier: Apache-2.0

import Journal
package import JournalModel
import NetworkModel
import PodNetwork

/// RDMA devices that all namespaces see: nothing of them moves, and whoever opened one keeps it beyond the pod.
extension PodInjector {
    /// Records who has the claim's RDMA devices open, before containers can open them.
    package func recordRDMADevices(of plan: ClaimPlan) throws(InjectionError) {
        guard plan.hasRDMANodes else { return }
        var devices: [SharedRDMADevice]
        do throws(PodNetworkError) { devices = try network.sharedRDMADevices(of: plan) } catch {
            throw InjectionError("claim \(plan.claim): \(error)")
        }
        var state = try readState(plan.claim.uid) ?? ClaimState(claim: plan.claim, attachments: [])
        guard !devices.isEmpty, state.sharedRDMADevices == nil else { return }
        // A NIC that several claims have: what those opened is not the host's.
        let others = states.all.filter { $0.claim.uid != plan.claim.uid }.flatMap { $0.sharedRDMADevices ?? [] }
        for index in devices.indices {
            if let other = others.first(where: { $0.name == devices[index].name }) { devices[index].contexts = other.contexts }
        }
        state.sharedRDMADevices = devices
        try write(state)
    }

    /// Makes devices that no other claim has such that are to come back: they do when nobody has them open. The last claim of several
    /// answers for all.
    func returnRDMADevices(_ state: inout ClaimState) {
        guard let devices = state.sharedRDMADevices else { return }
        let others = Set(states.all.filter { $0.claim.uid != state.claim.uid }.flatMap { $0.sharedRDMADevices ?? [] }.map(\.name))
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
}
