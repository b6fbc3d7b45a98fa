// SPDX-License-Identifier: Apache-2.0

import Kubernetes
import Logging
import Primitives
import ResourceAPI

/// Reads the Node, whose pods the host has to reach.
///
/// The controller manager gives a Node the networks of its pods some time after it was registered, and never changes them
/// (ValidateNodeUpdate): the Node is read until it has them, less and less often, as in some clusters it never has.
struct NodeReader: Sendable {
    let resources: ResourceClient
    let node: String
    let log: Logger

    private static let firstInterval = Duration.seconds(2)
    private static let longestInterval = Duration.seconds(300)

    /// Reads until `learn` returns true or the task is cancelled.
    func run(_ learn: @Sendable (NodeObject) async -> Bool) async {
        var failures = 0
        var interval = Self.firstInterval
        var wasRead = false
        while !Task.isCancelled {
            do throws(APIError) {
                if await learn(try await resources.node(node)) { return }
                wasRead = true
                failures = 0
                try? await Task.sleep(for: interval)
                interval = min(interval * 2, Self.longestInterval)
            } catch {
                failures += 1
                if wasRead {
                    log.debug("the Node cannot be read", metadata: ["error": "\(error)"])
                } else {
                    log.warning("the Node cannot be read; nothing is published before", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: error.retryAfter.map(Backoff.delay(asked:)) ?? Backoff.delay(attempt: failures))
            }
        }
    }
}
