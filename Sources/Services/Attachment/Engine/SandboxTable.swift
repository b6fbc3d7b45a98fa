// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
import NetworkModel

/// The sandboxes that the runtime has reported, one for each pod. The table is not persistent: the runtime reports all sandboxes with
/// each connection.
///
/// ## Concurrency model
/// Used by one thread.
final class SandboxTable {
    /// Sandboxes by UID of their pods.
    private var sandboxes: [String: Sandbox] = [:]
    /// True while the connected runtime has reported all its sandboxes.
    private(set) var isComplete = false

    /// Adds a sandbox, and replaces an older one of the same pod.
    func add(_ sandbox: Sandbox) { sandboxes[sandbox.podUID] = sandbox }

    /// Removes a sandbox.
    ///
    /// - Returns: false if the table has another sandbox of the pod, or none.
    func remove(_ sandbox: Sandbox) -> Bool {
        guard sandboxes[sandbox.podUID]?.id == sandbox.id else { return false }
        sandboxes[sandbox.podUID] = nil
        return true
    }

    /// Replaces the table by the complete list that the runtime sends after a connection.
    func replaceAll(_ all: [Sandbox]) {
        sandboxes = Dictionary(all.map { ($0.podUID, $0) }, uniquingKeysWith: { _, last in last })
        isComplete = true
    }

    /// Marks the table as out of date, when the connection to the runtime ends.
    func markStale() { isComplete = false }

    func contains(pod uid: String) -> Bool { sandboxes[uid] != nil }

    /// True if a running sandbox may hold the device. While the table is incomplete, an existing network namespace counts as a running
    /// sandbox.
    func mayHold(_ attachment: Attachment) -> Bool {
        guard NamespaceTable.open(attachment) != nil else { return false }
        return !isComplete || sandboxes.values.contains { $0.id == attachment.sandbox || $0.namespacePath == attachment.namespacePath }
    }

    /// The sandbox of a container with this network namespace.
    ///
    /// After a start of this program, a container can ask its gate before the runtime has reported sandboxes; then the mount of the
    /// namespace identifies the sandbox.
    ///
    /// - Returns: nil if this program sees no mount of the namespace.
    func sandbox(of plan: ClaimPlan, in namespace: FileIdentity) -> Sandbox? {
        let known = sandboxes.values.first { sandbox in
            plan.pods.contains(sandbox.podUID) && sandbox.namespacePath.flatMap(NamespaceTable.identity) == namespace
        }
        if let known { return known }
        guard let path = NetworkNamespace.mountPath(of: namespace) else { return nil }
        let pod = plan.pods.first ?? ""
        return Sandbox(id: path, podUID: pod, pod: pod, namespacePath: path)
    }
}
