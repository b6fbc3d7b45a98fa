// SPDX-License-Identifier: Apache-2.0

/// A pod's sandbox, as far as injection needs it.
package struct Sandbox: Hashable, Sendable {
    package var id: String
    package var podUID: String
    /// Namespace and name of the pod, for messages.
    package var pod: String
    /// Nil for a pod in the host's network.
    package var namespacePath: String?

    /// A pod from a file of the node: it can use no objects of the cluster, and must not wait for the cluster, which it may
    /// itself be a part of.
    package var isStatic = false

    package init(id: String, podUID: String, pod: String, namespacePath: String?) {
        self.id = id
        self.podUID = podUID
        self.pod = pod
        self.namespacePath = namespacePath
    }
}

/// Why a container may not start, or a claim not go: a whole sentence.
package struct InjectionError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String
    /// True when nothing has failed, and what is waited for comes by itself.
    package var isPending: Bool

    package init(_ description: String, isPending: Bool = false) {
        self.description = description
        self.isPending = isPending
    }
}
