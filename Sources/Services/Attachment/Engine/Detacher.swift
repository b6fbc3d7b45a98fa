// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
import Logging
import NetworkModel
import PodNetwork

/// Detaches the devices of claims from pods and restores them on the host, with retries until all are restored.
///
/// ## Concurrency model
/// Used by one thread. Work inside a pod's namespace runs on another thread, which has ended when a call returns.
final class Detacher {
    private let journal: AttachmentJournal
    private let network: PodNetwork
    private let sandboxes: SandboxTable
    private let namespaces: NamespaceTable
    private let leases: LeaseManager
    private let log: Logger
    /// UIDs of claims with devices in the phase `returning`.
    private var pending: Set<String> = []

    init(
        _ journal: AttachmentJournal, network: PodNetwork, sandboxes: SandboxTable, namespaces: NamespaceTable,
        leases: LeaseManager, log: Logger
    ) {
        (self.journal, self.network) = (journal, network)
        (self.sandboxes, self.namespaces, self.leases) = (sandboxes, namespaces, leases)
        self.log = log
    }

    /// Resumes the restores of an earlier run.
    func resume() {
        for state in journal.states {
            if state.attachments.contains(where: { $0.phase == .returning }) { pending.insert(state.claim.uid) }
            for attachment in state.attachments { namespaces.hold(attachment) }
        }
    }

    // MARK: Detach

    /// Restores the matching devices, and removes them from the state. Devices that cannot be restored now stay in the state as
    /// `returning`.
    ///
    /// - Throws: ``AttachmentError`` with the reasons of all devices that are not restored.
    func detach(_ state: inout ClaimState, where matches: (Attachment) -> Bool) throws(AttachmentError) {
        guard state.attachments.contains(where: matches) else { return }
        let before = state
        let leaving = state.attachments.filter(matches)
        state.attachments.removeAll(where: matches)
        var failures: [PodNetworkError] = []
        // Devices of one namespace are restored together.
        let identities = leaving.map(\.namespace)
        let order = identities.enumerated().filter { identities.firstIndex(of: $0.element) == $0.offset }.map(\.element)
        for identity in order {
            let group = leaving.filter { $0.namespace == identity }
            let remaining = restore(group, of: state.claim)
            state.attachments += remaining.map(\.attachment)
            failures += remaining.map(\.error)
        }
        for identity in order { releaseNamespace(identity, after: state) }
        if state.attachments.isEmpty, state.sharedRDMADevices == nil {
            try journal.removeState(state.claim)
        } else if state != before {
            try journal.write(state)
        }
        if failures.isEmpty {
            pending.remove(state.claim.uid)
        } else {
            pending.insert(state.claim.uid)
            let isPending = failures.allSatisfy(\.isPending)
            throw AttachmentError(
                isPending ? .restorePending : .restoreFailed, "claim \(state.claim)",
                failures.map(\.description).joined(separator: "; "))
        }
    }

    /// Restores devices of one namespace.
    ///
    /// - Returns: the devices that are not restored, each with its reason.
    private func restore(_ group: [Attachment], of claim: ClaimIdentity) -> [(attachment: Attachment, error: PodNetworkError)] {
        let unreleased = leases.release(group, of: claim)
        let namespace = group.first.flatMap(namespaces.namespace)
        let problems = network.restore(group.map(PodNetwork.RestoreRequest.init), from: namespace, waits: false)
        var remaining: [(attachment: Attachment, error: PodNetworkError)] = []
        for var attachment in group {
            guard
                let error = problems.first(where: { $0.device == attachment.device })?.error
                    ?? unreleased[attachment.device]
            else {
                log.info("device restored", metadata: ["claim": "\(claim)", "device": "\(attachment.label)"])
                continue
            }
            if isLost(attachment, isNamespaceOpen: namespace != nil, of: claim) { continue }
            attachment.phase = .returning
            attachment.problem = error.isPending ? nil : "\(error)"
            remaining.append((attachment, error))
        }
        return remaining
    }

    /// True if a device can never be restored: waiting would keep the pod and its claim forever.
    private func isLost(_ attachment: Attachment, isNamespaceOpen: Bool, of claim: ClaimIdentity) -> Bool {
        let isGone = !isNamespaceOpen && NamespaceTable.isGone(attachment)
        guard let reason = network.loss(of: PodNetwork.RestoreRequest(attachment), isNamespaceGone: isGone) else { return false }
        log.error(
            "interface lost",
            metadata: [
                "claim": "\(claim)", "device": "\(attachment.device)", "interface": "\(attachment.label)", "reason": "\(reason)",
            ])
        return true
    }

    /// Releases a namespace that contains no device of a claim.
    ///
    /// Also releases the namespace of an ended pod after repeated failures to move hardware out of it: the kernel moves hardware to the
    /// host when the namespace ends. It would destroy virtual interfaces, so these are waited for.
    private func releaseNamespace(_ identity: FileIdentity, after state: ClaimState) {
        let remaining = state.attachments.filter { $0.namespace == identity }
        let isFailing = namespaces.countRestore(identity, hasFailed: !remaining.isEmpty)
        let others = journal.states.filter { $0.claim.uid != state.claim.uid }.flatMap(\.attachments)
        if remaining.isEmpty, !others.contains(where: { $0.namespace == identity }) {
            namespaces.release(identity)
        } else if isFailing, namespaces.isHeld(identity),
            remaining.allSatisfy({ $0.host.map { $0.kind == nil } ?? false && !sandboxes.mayHold($0) })
        {
            namespaces.release(identity)
            log.warning(
                "network namespace released before its devices are restored",
                metadata: ["devices": "\(remaining.map(\.label).joined(separator: ", "))"])
        }
    }

    // MARK: Retry

    /// True while a device has to be restored.
    var isPending: Bool { !pending.isEmpty }

    /// Become readable when a search ends that a restore waits for.
    var searchDescriptors: [Descriptor] { network.searchDescriptors }

    /// Retries the restore of all devices that are not restored yet.
    func retry() {
        for uid in pending.sorted() {
            guard var state = try? journal.state(uid) else {
                pending.remove(uid)
                continue
            }
            do throws(AttachmentError) { try detach(&state) { $0.phase == .returning } } catch {
                log.debug("devices not restored yet", metadata: ["code": "\(error.code)", "error": "\(error)"])
            }
        }
    }
}
