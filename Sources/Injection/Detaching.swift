// SPDX-License-Identifier: Apache-2.0

import Journal
import Linux
import Logging
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
        var failures: [String] = []
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
            releaseLeases(group.attachments, of: state.claim)
            let problems = network.restore(
                group.attachments.map(PodNetwork.Return.init),
                from: held[group.namespace] ?? group.attachments.first.flatMap(Self.namespace))
            for var attachment in group.attachments {
                var problem = problems.first { $0.device == attachment.device }
                if problem == nil, let function = attachment.virtualFunction {
                    do throws(PodNetworkError) { try host.restore(function) } catch { problem = (attachment.device, error) }
                }
                if let problem {
                    attachment.phase = .returning
                    attachment.problem = "\(problem.error)"
                    left.append(attachment)
                    failures.append("\(problem.error)")
                } else {
                    log.info("brought back", metadata: ["claim": "\(state.claim)", "device": "\(attachment.label)"])
                }
            }
        }
        state.attachments = left
        for group in groups
        where !states.all.contains(where: { other in
            (other.claim.uid == state.claim.uid ? left : other.attachments).contains { $0.namespace == group.namespace }
        }) {
            held[group.namespace] = nil
        }
        if left.isEmpty {
            try removeState(state.claim.uid)
        } else if state != before {
            try write(state)
        }
        if failures.isEmpty {
            returning.remove(state.claim.uid)
        } else {
            returning.insert(state.claim.uid)
            throw InjectionError("claim \(state.claim): \(failures.joined(separator: "; "))")
        }
    }

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
