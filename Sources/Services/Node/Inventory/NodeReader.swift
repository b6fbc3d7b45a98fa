// SPDX-License-Identifier: Apache-2.0

import Kubernetes
import Logging
import Primitives
import ResourceAPI

/// Reads the Node, whose pods the host has to reach.
///
/// The controller manager sets the networks of a Node's pods some time after the registration, and never changes them
/// (ValidateNodeUpdate). The Node is read until it has them, with a backoff, because some clusters never set them.
struct NodeReader: Sendable {
    let resources: ResourceClient
    let node: String
    let log: Logger

    private static let backoff = Backoff(first: .seconds(2), longest: .seconds(300))

    /// Reads until `learn` returns true or the task is cancelled.
    func run(_ learn: @Sendable (NodeObject) async -> Bool) async {
        var failures = 0
        var reads = 0
        while !Task.isCancelled {
            do throws(APIError) {
                if await learn(try await resources.node(node)) { return }
                failures = 0
                try? await Task.sleep(for: Self.backoff.delay(attempt: reads))
                reads += 1
            } catch {
                failures += 1
                if reads > 0 {
                    log.debug("reading the Node failed", metadata: ["error": "\(error)"])
                } else {
                    log.warning("reading the Node failed; publication waits for it", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: error.retryAfter.map(Backoff.delay(asked:)) ?? Backoff.delay(attempt: failures))
            }
        }
    }
}
