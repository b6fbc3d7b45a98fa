// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Linux
package import Logging
import Netlink

/// Announces that something of this host's devices has changed. A thread waits for three sources: the groups of rtnetlink, device events
/// (uevents), and the event descriptors of RDMA devices.
///
/// ``EventFilter`` drops what cannot concern a device, such as a pod's veth. ``Burst`` makes one announcement of many changes: 60 ms after
/// the last one, and once a second during a storm. An announcement does not say what has changed: the next snapshot sees it, so an event
/// that was lost does no harm.
package struct HostWatcher: Sendable {
    /// Says that something may have changed: one element for any number of changes. Whoever hears it takes
    /// a new snapshot. Changes that come while nobody listens are one element.
    package let changes: AsyncStream<Void>
    /// Events of RDMA devices that may be opened, by libibverbs. Each of them is a change too.
    package let verbsEvents: AsyncStream<VerbsEvent>

    /// A burst is over when nothing has come for this many milliseconds.
    private static let quiet = 60
    /// One that does not end is told of this often.
    private static let timeout = 1000

    /// Starts a thread that waits for announcements; it ends with ``changes``.
    ///
    /// - Parameter virtualPrefixes: interfaces of pods (veth, netkit) come and go all day and are passed
    ///   over, but for those whose names start with one of these.
    package init(virtualPrefixes: [String] = [], log: Logger) throws(SystemError) {
        // Closing our end of the pair ends the thread.
        let (stop, watched) = try UnixSocket.pair()
        let routing = try EventSocket.routing()
        let devices = try EventSocket.devices()
        let (changes, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let (verbsEvents, verbsContinuation) = AsyncStream<VerbsEvent>.makeStream(bufferingPolicy: .bufferingNewest(256))
        self.changes = changes
        self.verbsEvents = verbsEvents
        try KernelThread.start {
            var burst = Burst(quiet: Self.quiet, timeout: Self.timeout)
            var filter = EventFilter(virtualPrefixes: virtualPrefixes)
            let verbs = VerbsWatcher(log: log)
            while true {
                let ready: [Int]
                do throws(SystemError) {
                    ready = try Poller.readable(
                        [watched, routing.descriptor, devices.descriptor] + verbs.descriptors,
                        milliseconds: burst.wait(at: Poller.now()))
                } catch {
                    log.error("changes of devices are no longer seen", metadata: ["error": "\(error)"])
                    break
                }
                if ready.contains(0) { break }
                var isChange = false
                if ready.contains(1) { isChange = routing.drain { filter.isRelevant(routing: $0) } }
                if ready.contains(2) {
                    var touchesRDMA = false
                    let isRelevant = devices.drain { datagram in
                        if Uevent.subsystem(of: datagram).hasPrefix("infiniband") { touchesRDMA = true }
                        return filter.isRelevant(uevent: datagram)
                    }
                    isChange = isChange || isRelevant
                    if touchesRDMA { verbs.reopen() }
                }
                if ready.contains(where: { $0 > 2 }) {
                    for event in verbs.events() {
                        isChange = true
                        verbsContinuation.yield(event)
                    }
                }
                if isChange { burst.note(at: Poller.now()) }
                if burst.isOver(at: Poller.now()) { continuation.yield() }
            }
            verbsContinuation.finish()
            continuation.finish()
        }
        continuation.onTermination = { _ in try? UnixSocket.send([0], to: stop) }
    }
}

/// Makes one announcement of many changes. Pure: the time comes from outside, in milliseconds.
package struct Burst: Sendable {
    private let quiet: Int
    private let timeout: Int
    private var first: Int?
    private var last = 0

    /// - Parameters:
    ///   - quiet: a burst is over when nothing has come for this long.
    ///   - timeout: one that goes on is taken for over after this long.
    package init(quiet: Int, timeout: Int) {
        self.quiet = quiet
        self.timeout = timeout
    }

    package mutating func note(at now: Int) {
        if first == nil { first = now }
        last = now
    }

    /// How long may be waited for the next change: for ever (-1) while there is none.
    package func wait(at now: Int) -> Int {
        guard let first else { return -1 }
        return max(0, min(last + quiet, first + timeout) - now)
    }

    /// True once for each burst, when it is over.
    package mutating func isOver(at now: Int) -> Bool {
        guard let start = first, now >= last + quiet || now >= start + timeout else { return false }
        first = nil
        return true
    }
}
