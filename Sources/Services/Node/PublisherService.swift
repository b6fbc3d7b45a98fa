// SPDX-License-Identifier: Apache-2.0

import Linux
import Logging
import ServiceLifecycle
import SlicePublisher

/// Writes slices until shutdown. During a rolling update only the older instance writes them.
struct PublisherService: Service {
    let publisher: SlicePublisher
    let board: NodeHealth.Board
    /// The lock file of the instance that writes.
    let lock: String
    let log: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                let held = try await FileLock.wait(lock) {
                    log.notice("another instance publishes the devices of this node; waiting for it to end")
                }
                board.publishes = true
                try await publisher.run()
                withExtendedLifetime(held) {}
            } catch is CancellationError {}
        }
    }
}
