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

    /// True for a static pod, which is defined by a file of the node. It can use no objects of the cluster, and must not wait for the API
    /// server, which may itself be a static pod.
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

    /// The namespace and the name of the pod; nil if the runtime reports no name.
    var podName: (namespace: String, name: String)? {
        let words = pod.split(separator: "/", maxSplits: 1).map(String.init)
        return words.count == 2 ? (words[0], words[1]) : nil
    }
}
