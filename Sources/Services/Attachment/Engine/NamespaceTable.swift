// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import NetworkModel

/// The network namespaces of pods with interfaces of claims, held open.
///
/// A runtime may remove a pod without reporting it (after a restart), or before it reports it (CRI-O). A namespace that is held open stays until
/// everything in it is restored, and with it the virtual interfaces that the kernel would delete and the names that it would change.
///
/// ## Concurrency model
/// Used by one thread.
final class NamespaceTable {
    private var held: [FileIdentity: NetworkNamespace] = [:]
    /// Failed restores in a row, by namespace.
    private var failures: [FileIdentity: Int] = [:]

    /// At one attempt a second.
    private static let maxFailures = 10

    func hold(_ namespace: NetworkNamespace) { held[namespace.identity] = namespace }

    /// Holds the namespace of an attachment of an earlier run, if it still exists.
    func hold(_ attachment: Attachment) { held[attachment.namespace] = Self.open(attachment) }

    func isHeld(_ identity: FileIdentity) -> Bool { held[identity] != nil }

    func release(_ identity: FileIdentity) {
        held[identity] = nil
        failures[identity] = nil
    }

    /// The namespace of an attachment; nil when it does not exist any more.
    func namespace(of attachment: Attachment) -> NetworkNamespace? { held[attachment.namespace] ?? Self.open(attachment) }

    /// Counts an attempt to restore everything in a namespace.
    ///
    /// - Returns: true when attempts have failed so often in a row that waiting for the kernel is the better chance.
    func countRestore(_ identity: FileIdentity, hasFailed: Bool) -> Bool {
        failures[identity] = hasFailed ? failures[identity, default: 0] + 1 : nil
        return failures[identity, default: 0] >= Self.maxFailures
    }

    // MARK: By path

    /// Opens the namespace that an attachment went to, if it still exists.
    static func open(_ attachment: Attachment) -> NetworkNamespace? {
        let namespace = try? NetworkNamespace(path: attachment.namespacePath)
        return namespace?.identity == attachment.namespace ? namespace : nil
    }

    /// True when the namespace certainly does not exist: its path is empty or leads to another one, and it is mounted nowhere else. Any
    /// other reason for which it cannot be opened proves nothing.
    static func isGone(_ attachment: Attachment) -> Bool {
        do throws(SystemError) {
            if try NetworkNamespace(path: attachment.namespacePath).identity == attachment.namespace { return false }
        } catch { guard error.isNotFound || error.code == EINVAL else { return false } }
        return NetworkNamespace.mountPath(of: attachment.namespace) == nil
    }

    static func identity(_ path: String) -> FileIdentity? {
        (try? NetworkNamespace(path: path))?.identity
    }
}
