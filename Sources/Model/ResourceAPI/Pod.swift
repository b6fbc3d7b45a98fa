// SPDX-License-Identifier: Apache-2.0

/// A pod, of which only its claims count here (core/v1 Pod).
package struct Pod: Hashable, Sendable, Codable {
    package var metadata: Metadata
    package var spec: PodSpec?
    package var status: PodStatus?

    package init(metadata: Metadata, spec: PodSpec? = nil, status: PodStatus? = nil) {
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }

    /// Names of the claims the pod uses, in its namespace: those it names, and those that were made for it from templates.
    package var claimNames: Set<String> {
        Set(
            (spec?.resourceClaims ?? []).compactMap(\.resourceClaimName)
                + (status?.resourceClaimStatuses ?? []).compactMap(\.resourceClaimName))
    }
}

package struct PodSpec: Hashable, Sendable, Codable {
    package var resourceClaims: [PodResourceClaim]?
    package init(resourceClaims: [PodResourceClaim]?) { self.resourceClaims = resourceClaims }
}

package struct PodStatus: Hashable, Sendable, Codable {
    package var resourceClaimStatuses: [PodResourceClaim]?
    package init(resourceClaimStatuses: [PodResourceClaim]?) { self.resourceClaimStatuses = resourceClaimStatuses }
}

/// An entry of `spec.resourceClaims` or of `status.resourceClaimStatuses`.
package struct PodResourceClaim: Hashable, Sendable, Codable {
    /// What containers call it.
    package var name: String
    package var resourceClaimName: String?

    package init(name: String, resourceClaimName: String?) {
        self.name = name
        self.resourceClaimName = resourceClaimName
    }
}
