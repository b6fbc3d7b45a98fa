// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI
import Synchronization

/// Reads and writes the objects of resource.k8s.io that a node driver needs, in the version that the server serves: v1, v1beta2 or
/// v1beta1. It detects the version when the server does not know a path, at the start or after an upgrade.
package final class ResourceClient: Sendable {
    private let api: APIClient
    private let version = Mutex(ResourceAPIVersion.v1)

    private let decode: ClaimDecoder

    /// Decodes the text of a claim.
    package typealias ClaimDecoder = @Sendable (_ text: [UInt8]) async -> Result<ResourceClaim, JSONError>

    /// - Parameter decode: the decoder of claims, which can be slow.
    package init(_ api: APIClient, decode: @escaping ClaimDecoder = { text in ResourceClient.claim(text) }) {
        self.api = api
        self.decode = decode
    }

    /// Decodes a claim on the caller's thread.
    package static func claim(_ text: [UInt8]) -> Result<ResourceClaim, JSONError> {
        do throws(JSONError) { return .success(try ResourceClaim(json: text)) } catch { return .failure(error) }
    }

    /// The version in use.
    package var served: ResourceAPIVersion { version.withLock { $0 } }

    /// Reads a Node.
    package func node(_ name: String) async throws(APIError) -> NodeObject {
        try await api.get("/api/v1/nodes/\(name)", limit: APIClient.objectBytes)
    }

    /// Reads a claim.
    ///
    /// - Parameter timeout: the time-out of retries.
    package func claim(_ name: String, namespace: String, timeout: Duration) async throws(APIError) -> ResourceClaim {
        try await inServedVersion { version throws(APIError) in
            let path = "\(Self.base(version))/namespaces/\(namespace)/resourceclaims/\(name)"
            let text = try await self.api.text(path, timeout: timeout, limit: APIClient.objectBytes)
            let claim = await self.decode(text)
            do throws(JSONError) { return try claim.get() } catch {
                throw APIError(.undecodable, "decode", path, error.description)
            }
        }
    }

    /// Reads a pod.
    package func pod(_ name: String, namespace: String, timeout: Duration) async throws(APIError) -> Pod {
        try await api.get("/api/v1/namespaces/\(namespace)/pods/\(name)", timeout: timeout, limit: APIClient.objectBytes)
    }

    /// Evicts the pod with this UID.
    package func evict(_ pod: String, namespace: String, uid: String) async throws(APIError) {
        let path = "/api/v1/namespaces/\(namespace)/pods/\(pod)/eviction"
        try await api.post(Eviction(pod: pod, namespace: namespace, uid: uid), path)
    }

    /// Sets the entries of this driver's devices in the claim's status. Removes other entries of this driver.
    package func apply(_ devices: [AllocatedDeviceStatus], to claim: Metadata, driver: String) async throws(APIError) {
        try await inServedVersion { version throws(APIError) in
            let patch = DeviceStatusPatch(claim, devices: devices, version: version)
            let path = "\(Self.base(version))/namespaces/\(claim.namespace ?? "")/resourceclaims/\(claim.name ?? "")/status"
            try await self.api.apply(patch, path, manager: driver, as: version)
        }
    }

    /// Creates an event.
    package func post(_ event: Event) async throws(APIError) {
        _ = try await api.create(event, "/api/v1/namespaces/\(event.metadata.namespace ?? "default")/events")
    }

    // MARK: Slices of one driver on one node

    private static func base(_ version: ResourceAPIVersion) -> String { "/apis/\(version.groupVersion)" }

    private static func selection(_ driver: String, _ node: String, _ version: ResourceAPIVersion) -> String {
        "\(base(version))/resourceslices?fieldSelector=spec.driver%3D\(driver)%2Cspec.nodeName%3D\(node)"
    }

    /// Lists slices.
    package func slices(driver: String, node: String) async throws(APIError) -> ObjectList<ResourceSlice> {
        try await inServedVersion { version throws(APIError) in try await self.api.get(Self.selection(driver, node, version)) }
    }

    /// Watches changes of slices, until the server ends the stream or `body` throws.
    package func watchSlices(
        driver: String, node: String, from resourceVersion: String,
        _ body: @Sendable (WatchEvent<ResourceSlice>) async throws -> Void
    ) async throws {
        try await api.watch(ResourceSlice.self, Self.selection(driver, node, served), from: resourceVersion, body)
    }

    /// Creates a slice.
    ///
    /// - Returns: the slice that the server stores.
    package func create(_ slice: ResourceSlice) async throws(APIError) -> ResourceSlice {
        try await inServedVersion { version throws(APIError) in
            try await self.api.create(Self.slice(slice, version), "\(Self.base(version))/resourceslices", as: version)
        }
    }

    /// Replaces a slice.
    ///
    /// - Returns: the slice that the server stores.
    package func replace(_ slice: ResourceSlice) async throws(APIError) -> ResourceSlice {
        try await inServedVersion { version throws(APIError) in
            let path = "\(Self.base(version))/resourceslices/\(slice.metadata.name ?? "")"
            return try await self.api.replace(Self.slice(slice, version), path, as: version)
        }
    }

    private static func slice(_ slice: ResourceSlice, _ version: ResourceAPIVersion) -> ResourceSlice {
        var slice = slice
        slice.apiVersion = version.groupVersion
        return slice
    }

    /// Deletes a slice, if it exists.
    package func delete(_ slice: ResourceSlice) async throws(APIError) {
        do throws(APIError) {
            try await inServedVersion { version throws(APIError) in
                try await self.api.delete("\(Self.base(version))/resourceslices/\(slice.metadata.name ?? "")", slice.metadata)
            }
        } catch {
            if !error.isNotFound { throw error }
        }
    }

    // MARK: Versions

    private func inServedVersion<Value>(
        _ body: (ResourceAPIVersion) async throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        let tried = served
        do throws(APIError) { return try await body(tried) } catch {
            guard error.isUnknownPath, let other = try await newestServed(), other != tried else { throw error }
            version.withLock { $0 = other }
            return try await body(other)
        }
    }

    /// The newest supported version of the group that the server serves (meta/v1 APIGroup); nil if there is none.
    private func newestServed() async throws(APIError) -> ResourceAPIVersion? {
        struct Group: Decodable {
            struct Version: Decodable { var version: String }
            var versions: [Version]
        }
        let group: Group
        do throws(APIError) { group = try await api.get("/apis/\(ResourceAPIVersion.group)") } catch {
            if error.isNotFound { return nil }
            throw error
        }
        return ResourceAPIVersion.allCases.first { version in group.versions.contains { $0.version == version.rawValue } }
    }
}
