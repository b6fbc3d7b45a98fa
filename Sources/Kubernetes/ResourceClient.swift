// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// The objects of resource.k8s.io that a node driver reads and writes.
package struct ResourceClient: Sendable {
    private let api: APIClient
    private static let group = "/apis/resource.k8s.io/v1"

    package init(_ api: APIClient) { self.api = api }

    package func node(_ name: String) async throws(APIError) -> NodeObject {
        try await api.get("/api/v1/nodes/\(name)")
    }

    package func claim(_ name: String, namespace: String) async throws(APIError) -> ResourceClaim {
        try await api.get("\(Self.group)/namespaces/\(namespace)/resourceclaims/\(name)")
    }

    // MARK: Slices of one driver on one node

    private static func selection(_ driver: String, _ node: String) -> String {
        "\(group)/resourceslices?fieldSelector=spec.driver%3D\(driver)%2Cspec.nodeName%3D\(node)"
    }

    package func slices(driver: String, node: String) async throws(APIError) -> ObjectList<ResourceSlice> {
        try await api.get(Self.selection(driver, node))
    }

    package func watchSlices(
        driver: String, node: String, from version: String,
        _ body: @Sendable (WatchEvent<ResourceSlice>) async throws -> Void
    ) async throws {
        try await api.watch(ResourceSlice.self, Self.selection(driver, node), from: version, body)
    }

    package func create(_ slice: ResourceSlice) async throws(APIError) -> ResourceSlice {
        try await api.create(slice, "\(Self.group)/resourceslices")
    }

    package func replace(_ slice: ResourceSlice) async throws(APIError) -> ResourceSlice {
        try await api.replace(slice, "\(Self.group)/resourceslices/\(slice.metadata.name ?? "")")
    }

    /// Fine when it is gone already.
    package func delete(_ slice: ResourceSlice) async throws(APIError) {
        do throws(APIError) {
            try await api.delete("\(Self.group)/resourceslices/\(slice.metadata.name ?? "")", slice.metadata)
        } catch {
            if !error.isNotFound { throw error }
        }
    }
}
