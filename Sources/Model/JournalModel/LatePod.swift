// SPDX-License-Identifier: Apache-2.0

/// A pod whose containers started without devices of its claims, because nearside-nri did not run. `nearside-nri` is the only writer of
/// this report, and removes it with the pod.
package struct LatePod: Hashable, Sendable, Codable {
    package var namespace: String
    package var name: String
    package var uid: String
    /// Claims whose devices were missing.
    package var claims: [ClaimIdentity]
    /// The reason why the pod still lacks devices; nil if all are attached.
    package var problem: String?

    package init(namespace: String, name: String, uid: String, claims: [ClaimIdentity], problem: String? = nil) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.claims = claims
        self.problem = problem
    }
}
