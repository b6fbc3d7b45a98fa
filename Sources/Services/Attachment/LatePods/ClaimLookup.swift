// SPDX-License-Identifier: Apache-2.0

import JournalModel

/// Determines the claims of a pod by asking `nearside-node`, where the plans do not name the pod.
///
/// A claim that was not created for one pod can be used by pods that its plan does not name, and a claim with a damaged plan by any pod.
/// Only the API server knows these pods. A wrong guess would start a pod without its devices.
///
/// ## Concurrency model
/// Used by one thread.
final class ClaimLookup {
    private let journal: AttachmentJournal
    /// Asks `nearside-node` to record in the plans which claims a pod uses. Returns the reason of a failure, and nil for success.
    private let request: (Sandbox) -> String?
    /// UIDs of pods whose claims are recorded in the plans, since plans were last lost.
    private var known: Set<String> = []
    private var lost: Set<String> = []

    init(_ journal: AttachmentJournal, request: @escaping (Sandbox) -> String?) {
        self.journal = journal
        self.request = request
    }

    /// Ensures that the plans record all claims of the pod.
    ///
    /// A pod in the host's network needs no interface of a claim. It does not wait for lost plans, which only the API server can restore,
    /// because the node may need the pod to reach the API server.
    ///
    /// - Throws: ``AttachmentError/Code/podUnknown`` while the claims cannot be determined.
    func identify(_ sandbox: Sandbox) throws(AttachmentError) {
        guard !sandbox.isStatic else { return }
        let lost = journal.lostClaims
        if !lost.isSubset(of: self.lost) { known = [] }
        self.lost = lost
        guard let candidate = candidate(sandbox), !known.contains(sandbox.podUID) else { return }
        if let reason = request(sandbox) {
            throw AttachmentError(
                .podUnknown, "pod \(sandbox.pod)",
                "the pod may use \(candidate), and nearside-node cannot determine the pod's claims: \(reason)")
        }
        known.insert(sandbox.podUID)
    }

    /// A claim that the pod may use although its plan does not name the pod, for messages; nil if there is no such claim.
    private func candidate(_ sandbox: Sandbox) -> String? {
        let open = journal.plans.filter {
            $0.isOpen == true && $0.phase == .prepared && $0.hasInterfaces && !$0.pods.contains(sandbox.podUID)
                && sandbox.pod.hasPrefix("\($0.claim.namespace)/")
        }
        if let claim = open.map(\.claim).min(by: { $0.name < $1.name }) { return "claim \(claim)" }
        return (sandbox.namespacePath == nil ? nil : lost.min()).map { "the claim with UID \($0), whose plan was damaged" }
    }

    func forget(pod uid: String) { known.remove(uid) }
}
