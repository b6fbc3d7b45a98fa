// SPDX-License-Identifier: Apache-2.0

import Linux
import Logging
import Netlink

/// Has devices that are not restored yet restored as soon as the kernel announces an interface, and once a second: RDMA devices return without
/// an announcement of rtnetlink.
///
/// ## Concurrency model
/// Used by one thread.
final class RestoreRetry: EventSource {
    private let detacher: Detacher
    private let log: Logger
    /// Announces interfaces while some are waited for.
    private var events: EventSocket?
    private var nextAttempt = Deadline.now
    /// True once the first attempt for the devices that are waited for was made.
    private var isActive = false

    private static let delay = Duration.seconds(1)

    init(_ detacher: Detacher, log: Logger) { (self.detacher, self.log) = (detacher, log) }

    var descriptors: [Descriptor] { detacher.searchDescriptors + (events.map { [$0.descriptor] } ?? []) }

    /// Where devices have just begun to be waited for, the next turn begins at once: the kernel may have announced them before.
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
            log.error("interfaces cannot be watched", metadata: ["error": "\(error)"])
        }
    }
}
