// SPDX-License-Identifier: Apache-2.0

/// A pod (core/v1 Pod), reduced to its claims.
package struct Pod: Hashable, Sendable, Codable {
    package var metadata: Metadata
    package var spec: PodSpec?
    package var status: PodStatus?

    package init(metadata: Metadata, spec: PodSpec? = nil, status: PodStatus? = nil) {
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }

    /// Names of the claims of the pod, in its namespace: claims that its specification names, and claims made from templates.
    package var claimNames: Set<String> {
        Set(
            (spec?.resourceClaims ?? []).compactMap(\.resourceClaimName)
                + (status?.resourceClaimStatuses ?? []).compactMap(\.resourceClaimName))
    }
}

/// The specification of a pod, reduced to its claims.
package struct PodSpec: Hashable, Sendable, Codable {
    package var resourceClaims: [PodResourceClaim]?
    package init(resourceClaims: [PodResourceClaim]?) { self.resourceClaims = resourceClaims }
}

/// The status of a pod, reduced to the claims that were made from templates.
package struct PodStatus: Hashable, Sendable, Codable {
    package var resourceClaimStatuses: [PodResourceClaim]?
    package init(resourceClaimStatuses: [PodResourceClaim]?) { self.resourceClaimStatuses = resourceClaimStatuses }
}

/// An entry of `spec.resourceClaims` or of `status.resourceClaimStatuses`.
package struct PodResourceClaim: Hashable, Sendable, Codable {
    /// Name by which containers refer to the claim.
    package var name: String
    package var resourceClaimName: String?

    package init(name: String, resourceClaimName: String?) {
        self.name = name
        self.resourceClaimName = resourceClaimName
    }
}
