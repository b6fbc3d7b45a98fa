// SPDX-License-Identifier: Apache-2.0

/// A pod whose containers ran without devices of its claims, found by nearside-nri after its restart: the runtime had gone on
/// without it. `nearside-nri` writes it and alone changes it; it is gone with the pod.
package struct LatePod: Hashable, Sendable, Codable {
    package var namespace: String
    package var name: String
    package var uid: String
    /// Claims whose devices were missing.
    package var claims: [ClaimIdentity]
    /// Why it still does; nil when it has everything now.
    package var problem: String?

    package init(namespace: String, name: String, uid: String, claims: [ClaimIdentity], problem: String? = nil) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.claims = claims
        self.problem = problem
    }
}
