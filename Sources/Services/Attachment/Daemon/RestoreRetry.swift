// SPDX-License-Identifier: Apache-2.0

import Linux
import Logging
import Netlink

/// Retries to restore devices when the kernel announces an interface, and once a second, because RDMA devices return without an
/// announcement.
///
/// ## Concurrency model
/// Used by one thread.
final class RestoreRetry: EventSource {
    private let detacher: Detacher
    private let log: Logger
    /// Announces interfaces while a device is waiting.
    private var events: EventSocket?
    private var nextAttempt = Deadline.now
    /// True after the first attempt for the waiting devices.
    private var isActive = false

    private static let delay = Duration.seconds(1)

    init(_ detacher: Detacher, log: Logger) { (self.detacher, self.log) = (detacher, log) }

    var descriptors: [Descriptor] { detacher.searchDescriptors + (events.map { [$0.descriptor] } ?? []) }

    /// The first turn after a device began to wait is immediate: the kernel may have announced the interface before.
    var deadline: Deadline? { detacher.isPending ? (isActive ? nextAttempt : .now) : nil }

    func handle(_ ready: ReadyDescriptors) {
        guard detacher.isPending else {
            (events, isActive) = (nil, false)
            return
        }
        if let events { _ = events.drain { _ in true } } else { openEvents() }
        guard !isActive || nextAttempt.hasPassed || !ready.isEmpty else { return }
        isActive = true
        detacher.retry()
        nextAttempt = .after(Self.delay)
    }

    private func openEvents() {
        do throws(SystemError) { events = try EventSocket.links() } catch {
            log.error("watching interfaces failed", metadata: ["error": "\(error)"])
        }
    }
}
