// SPDX-License-Identifier: Apache-2.0

/// A request to evict a pod, which the API server refuses if a disruption budget forbids it (policy/v1 Eviction).
package struct Eviction: Hashable, Sendable, Codable {
    /// Options of the deletion.
    package struct Options: Hashable, Sendable, Codable {
        /// The UID that the pod must have.
        package var preconditions: Metadata
    }

    package var apiVersion = "policy/v1"
    package var kind = "Eviction"
    package var metadata: Metadata
    package var deleteOptions: Options

    package init(pod name: String, namespace: String, uid: String) {
        metadata = Metadata(name: name, namespace: namespace)
        deleteOptions = Options(preconditions: Metadata(uid: uid))
    }
}
