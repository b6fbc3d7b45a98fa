// SPDX-License-Identifier: Apache-2.0

import JournalModel

/// Finds out which claims a pod uses where no plan says so, by asking `nearside-node`.
///
/// A claim that was made for no pod in particular can be used by pods that its plan does not name, and a claim whose plan was damaged by any
/// pod. Then only the API server knows, and a guess would start the pod without its devices.
///
/// ## Concurrency model
/// Used by one thread.
final class ClaimLookup {
    private let journal: AttachmentJournal
    /// Has `nearside-node` write into the plans which claims a pod uses. Returns the reason why that was not possible, nil when it was.
    private let request: (Sandbox) -> String?
    /// Pods whose claims are in the plans, by UID, since plans were last lost.
    private var known: Set<String> = []
    private var lost: Set<String> = []

    init(_ journal: AttachmentJournal, request: @escaping (Sandbox) -> String?) {
        self.journal = journal
        self.request = request
    }

    /// Has all claims of the pod in the plans when it returns.
    ///
    /// A pod in the host's network has no use for a claim's interface: a pod that the node needs to reach the API server does not wait for
    /// lost plans, which only the API server can restore.
    ///
    /// - Throws: ``AttachmentError/Code/podUnknown`` while that cannot be determined.
    func identify(_ sandbox: Sandbox) throws(AttachmentError) {
        guard !sandbox.isStatic else { return }
        let lost = journal.lostClaims
        if !lost.isSubset(of: self.lost) { known = [] }
        self.lost = lost
        guard let candidate = candidate(sandbox), !known.contains(sandbox.podUID) else { return }
        if let reason = request(sandbox) {
            throw AttachmentError(
                .podUnknown, "pod \(sandbox.pod)",
                "it may be one of those that use \(candidate), and nearside-node cannot say which claims it uses: \(reason)")
        }
        known.insert(sandbox.podUID)
    }

    /// A claim that the pod may use although its plan does not name it, for messages; nil when there is none.
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
