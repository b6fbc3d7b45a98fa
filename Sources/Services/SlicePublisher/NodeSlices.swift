// SPDX-License-Identifier: Apache-2.0

import Kubernetes
import ResourceAPI
import SliceModel

/// The API server's slices of one driver on one node.
struct NodeSlices: Sendable {
    let client: ResourceClient
    let driver: String
    let node: String

    /// The owner reference of the slices, with the UID of the Node.
    func owner() async throws(APIError) -> SliceOwner {
        SliceOwner(driver: driver, node: node, nodeUID: try await client.node(node).metadata.uid ?? "")
    }

    func list() async throws(APIError) -> ObjectList<ResourceSlice> { try await client.slices(driver: driver, node: node) }

    /// Watches changes until the server ends the watch.
    func watch(from version: String, _ observe: @Sendable (WatchEvent<ResourceSlice>) async -> Void) async throws {
        try await client.watchSlices(driver: driver, node: node, from: version, observe)
    }
}
