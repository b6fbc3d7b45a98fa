// SPDX-License-Identifier: Apache-2.0

/// Asks that a pod go, as far as its disruption budgets allow (policy/v1 Eviction).
package struct Eviction: Hashable, Sendable, Codable {
    package struct Options: Hashable, Sendable, Codable {
        /// Only the pod with this UID.
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
