// SPDX-License-Identifier: Apache-2.0

import JournalModel
package import Linux
import Logging
import NetworkModel
import PodNetwork

extension PodInjector {
    /// True when a sandbox that still runs holds the device. Without a runtime to tell, a namespace that is there is one.
    func isAlive(_ attachment: Attachment) -> Bool {
        guard Self.namespace(of: attachment) != nil else { return false }
        return !knowsSandboxes || sandboxes.values.contains { $0.id == attachment.sandbox || $0.namespacePath == attachment.namespacePath }
    }

    /// Brings back what the condition says, and forgets it once it is back.
    func detach(_ state: inout ClaimState, _ isMeant: (Attachment) -> Bool) throws(InjectionError) {
        guard state.attachments.contains(where: isMeant) else { return }
        let before = state
        var failures: [PodNetworkError] = []
        var left: [Attachment] = state.attachments.filter { !isMeant($0) }
        // All of one namespace go together.
        var groups: [(namespace: FileIdentity, attachments: [Attachment])] = []
        for attachment in state.attachments where isMeant(attachment) {
            if let index = groups.firstIndex(where: { $0.namespace == attachment.namespace }) {
                groups[index].attachments.append(attachment)
            } else {
                groups.append((attachment.namespace, [attachment]))
            }
        }
        for group in groups {
            let unforgotten = releaseLeases(group.attachments, of: state.claim)
            let namespace = held[group.namespace] ?? group.attachments.first.flatMap(Self.namespace)
            let problems = network.restore(group.attachments.map(PodNetwork.RestoreRequest.init), from: namespace, waits: false)
            for var attachment in group.attachments {
                if let problem = problems.first(where: { $0.device == attachment.device })?.error
                    ?? unforgotten[attachment.device]
                {
                    if let loss = network.loss(
                        of: PodNetwork.RestoreRequest(attachment), isNamespaceGone: namespace == nil && Self.isNamespaceGone(attachment))
                    {
                        // Nobody can bring it back: waiting for it would keep the pod and its claim for ever.
                        log.error(
                            "interface lost",
                            metadata: [
                                "claim": "\(state.claim)", "device": "\(attachment.device)", "interface": "\(attachment.label)",
                                "reason": "\(loss)",
                            ])
                        continue
                    }
                    attachment.phase = .returning
                    attachment.problem = problem.isPending ? nil : "\(problem)"
                    left.append(attachment)
                    failures.append(problem)
                } else {
                    log.info("brought back", metadata: ["claim": "\(state.claim)", "device": "\(attachment.label)"])
                }
            }
        }
        state.attachments = left
        for group in groups { letGo(group.namespace, left.filter { $0.namespace == group.namespace }) }
        for group in groups
        where !states.all.contains(where: { other in
            (other.claim.uid == state.claim.uid ? left : other.attachments).contains { $0.namespace == group.namespace }
        }) {
            held[group.namespace] = nil
        }
        if left.isEmpty, state.sharedRDMADevices == nil {
            try removeState(state.claim.uid)
        } else if state != before {
            try write(state)
        }
        if failures.isEmpty {
            returning.remove(state.claim.uid)
        } else {
            returning.insert(state.claim.uid)
            let reasons = failures.map(\.description).joined(separator: "; ")
            throw InjectionError("claim \(state.claim): \(reasons)", isPending: failures.allSatisfy(\.isPending))
        }
    }

    /// Stops holding the namespace of a pod that is gone when hardware in it cannot be moved out again and again: the kernel moves it to the
    /// host by itself when the namespace ends. Virtual interfaces would be destroyed with it.
    private func letGo(_ namespace: FileIdentity, _ attachments: [Attachment]) {
        guard !attachments.isEmpty else {
            failedReturns[namespace] = nil
            return
        }
        failedReturns[namespace, default: 0] += 1
        guard failedReturns[namespace, default: 0] >= Self.mostFailedReturns, held[namespace] != nil,
            attachments.allSatisfy({ $0.host.map { $0.kind == nil } ?? false && !isAlive($0) })
        else { return }
        held[namespace] = nil
        log.warning("network namespace let go", metadata: ["devices": "\(attachments.map(\.label).joined(separator: ", "))"])
    }

    /// At one attempt a second.
    private static let mostFailedReturns = 10

    /// Each is readable when what a return waits for has ended: then it is time for ``retryReturns()``.
    package var searchDescriptors: [Descriptor] { network.searchDescriptors }

    /// True while something has not come back that was to: hardware returns in the kernel's own time when a namespace goes.
    package var isWaitingForReturns: Bool { !returning.isEmpty }

    /// Looks again for what has not come back.
    package func retryReturns() {
        for uid in returning.sorted() {
            guard var state = try? readState(uid) else {
                returning.remove(uid)
                continue
            }
            do throws(InjectionError) { try detach(&state) { $0.phase == .returning } } catch {
                log.debug("still not back", metadata: ["error": "\(error)"])
            }
        }
    }
}
