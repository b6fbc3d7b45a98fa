// SPDX-License-Identifier: Apache-2.0

/// The reason why a container may not start, or a claim cannot be released yet.
package struct AttachmentError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of errors.
    package enum Code: String, Sendable, CaseIterable {
        /// The claim has no plan on this node, or is being released.
        case notPrepared
        /// The pod runs in the host's network and its claim has an interface.
        case hostNetwork
        /// The container's network namespace is missing from the request, is not a network namespace, or cannot be opened.
        case noNamespace
        /// The device is still in the sandbox of another pod.
        case deviceInUse
        /// A step of the attach failed in the kernel. All steps were rolled back.
        case attachFailed
        /// A device of the claim could not be restored on the host.
        case restoreFailed
        /// A device of the claim is not restored yet; no step has failed.
        case restorePending
        /// No server has given an interface its address yet.
        case leaseAwaited
        /// The DHCP client of an interface cannot be started, or its lease cannot be used.
        case leaseFailed
        /// The claims that the pod uses cannot be determined.
        case podUnknown
        /// A file of the journal cannot be read or written.
        case journal
        /// The CDI specification of the claim cannot be published or withdrawn.
        case specification
    }

    package var code: Code
    /// The claim or the pod that the error is about.
    package var object: String
    /// The step that failed; nil where the object's state is the error.
    package var step: String?
    /// The cause, followed by a semicolon and the remedy.
    package var cause: String

    package init(_ code: Code, _ object: String, step: String? = nil, _ cause: some CustomStringConvertible) {
        self.code = code
        self.object = object
        self.step = step
        self.cause = cause.description
    }

    package var description: String { [object, step, cause].compactMap(\.self).joined(separator: ": ") }

    /// True if no step has failed and the claim needs only time.
    package var isPending: Bool { code == .restorePending }
}
