// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Linux
import NetworkModel

/// Open descriptors of the network namespaces of pods with interfaces of claims.
///
/// A runtime may remove a pod without a report (after a restart), or before its report (CRI-O). An open descriptor keeps the namespace
/// until all devices in it are restored. Otherwise the kernel would delete its virtual interfaces and could rename the others.
///
/// ## Concurrency model
/// Used by one thread.
final class NamespaceTable {
    private var held: [FileIdentity: NetworkNamespace] = [:]
    /// Consecutive failed restores, by namespace.
    private var failures: [FileIdentity: Int] = [:]

    /// With one attempt a second.
    private static let maxFailures = 10

    func hold(_ namespace: NetworkNamespace) { held[namespace.identity] = namespace }

    /// Opens the namespace of an attachment of an earlier run, if it still exists.
    func hold(_ attachment: Attachment) { held[attachment.namespace] = Self.open(attachment) }

    func isHeld(_ identity: FileIdentity) -> Bool { held[identity] != nil }

    func release(_ identity: FileIdentity) {
        held[identity] = nil
        failures[identity] = nil
    }

    /// The namespace of an attachment; nil if it has ended.
    func namespace(of attachment: Attachment) -> NetworkNamespace? { held[attachment.namespace] ?? Self.open(attachment) }

    /// Counts an attempt to restore all devices of a namespace.
    ///
    /// - Returns: true after ``maxFailures`` consecutive failures; the kernel then cleans up the namespace.
    func countRestore(_ identity: FileIdentity, hasFailed: Bool) -> Bool {
        failures[identity] = hasFailed ? failures[identity, default: 0] + 1 : nil
        return failures[identity, default: 0] >= Self.maxFailures
    }

    // MARK: By path

    /// Opens the namespace of an attachment, if it still exists.
    static func open(_ attachment: Attachment) -> NetworkNamespace? {
        let namespace = try? NetworkNamespace(path: attachment.namespacePath)
        return namespace?.identity == attachment.namespace ? namespace : nil
    }

    /// True only if the namespace certainly has ended: its path is missing or leads to another namespace, and no other mount of it
    /// exists. Any other error of the open proves nothing.
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
