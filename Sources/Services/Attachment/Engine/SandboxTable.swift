// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
import NetworkModel

/// The sandboxes that the runtime has reported, one for each pod. They are kept in memory only: the runtime reports all of them anew with each
/// connection.
///
/// ## Concurrency model
/// Used by one thread.
final class SandboxTable {
    /// Sandboxes by UID of their pods.
    private var sandboxes: [String: Sandbox] = [:]
    /// True while a runtime is connected that has reported all sandboxes.
    private(set) var isComplete = false

    /// Adds a sandbox, in the place of an older one of the same pod.
    func add(_ sandbox: Sandbox) { sandboxes[sandbox.podUID] = sandbox }

    /// Removes a sandbox.
    ///
    /// - Returns: false when the pod has another one, or none.
    func remove(_ sandbox: Sandbox) -> Bool {
        guard sandboxes[sandbox.podUID]?.id == sandbox.id else { return false }
        sandboxes[sandbox.podUID] = nil
        return true
    }

    /// Takes the list of all sandboxes, which the runtime sends after a connection was made.
    func replaceAll(_ all: [Sandbox]) {
        sandboxes = Dictionary(all.map { ($0.podUID, $0) }, uniquingKeysWith: { _, last in last })
        isComplete = true
    }

    /// Notes that the connection to the runtime ended: the table may be out of date.
    func markStale() { isComplete = false }

    func contains(pod uid: String) -> Bool { sandboxes[uid] != nil }

    /// True when a sandbox that still runs may hold the device. Without a complete table a network namespace that exists counts as one.
    func mayHold(_ attachment: Attachment) -> Bool {
        guard NamespaceTable.open(attachment) != nil else { return false }
        return !isComplete || sandboxes.values.contains { $0.id == attachment.sandbox || $0.namespacePath == attachment.namespacePath }
    }

    /// The sandbox of a container with this network namespace.
    ///
    /// After a start of this program the runtime does not report sandboxes before the container that waits for this program has started;
    /// then the sandbox is known by the place where its namespace is mounted.
    ///
    /// - Returns: nil when the namespace is mounted nowhere that this program can see.
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
