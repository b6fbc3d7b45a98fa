// SPDX-License-Identifier: Apache-2.0

import NRI

/// A pod's sandbox, as the runtime reports it.
package struct Sandbox: Hashable, Sendable {
    package var id: String
    package var podUID: String
    /// Namespace and name of the pod, for messages.
    package var pod: String
    /// Nil for a pod in the host's network.
    package var namespacePath: String?

    /// True for a pod from a file of the node: it can use no objects of the cluster, and must not wait for the cluster, which it may
    /// itself be a part of.
    package var isStatic = false

    package init(id: String, podUID: String, pod: String, namespacePath: String?) {
        self.id = id
        self.podUID = podUID
        self.pod = pod
        self.namespacePath = namespacePath
    }

    init(_ pod: PodSandbox) {
        self.init(id: pod.id, podUID: pod.uid, pod: "\(pod.namespace)/\(pod.name)", namespacePath: pod.networkNamespace)
        isStatic = ["file", "http"].contains(pod.configSource)
    }

    /// The namespace and the name of the pod; nil when the runtime gives it no name.
    var podName: (namespace: String, name: String)? {
        let words = pod.split(separator: "/", maxSplits: 1).map(String.init)
        return words.count == 2 ? (words[0], words[1]) : nil
    }
}
