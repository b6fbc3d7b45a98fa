// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Linux
package import Logging
import Netlink

/// Announces changes of this host's devices. A thread waits for three sources: the groups of rtnetlink, device events (uevents), and the
/// event descriptors of RDMA devices.
///
/// ``EventFilter`` drops announcements that cannot concern a device, such as those of a pod's veth. ``Burst`` makes one announcement of
/// many changes: 60 ms after the last one, and once a second during a storm. An announcement does not say which device has changed: the
/// next snapshot shows it, so an event that was lost does no harm.
package struct HostWatcher: Sendable {
    /// One element for any number of changes, after which a new snapshot is due.
    package let changes: AsyncStream<Void>
    /// Events of RDMA devices that may be opened, by libibverbs. Each of them is a change too.
    package let verbsEvents: AsyncStream<VerbsEvent>

    private static let quiet = Duration.milliseconds(60)
    private static let timeout = Duration.seconds(1)

    /// Starts a thread that waits for announcements; it ends with ``changes``.
    ///
    /// - Parameter virtualPrefixes: prefixes of names of virtual interfaces that are devices; others, which pods get and lose all day
    ///   long, are ignored.
    package init(virtualPrefixes: [String] = [], log: Logger) throws(SystemError) {
        // Closing our end of the pair ends the thread.
        let (stop, stopped) = try UnixSocket.pair()
        let routing = try EventSocket.routing()
        let devices = try EventSocket.devices()
        let (changes, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let (verbsEvents, verbsContinuation) = AsyncStream<VerbsEvent>.makeStream(bufferingPolicy: .bufferingNewest(256))
        self.changes = changes
        self.verbsEvents = verbsEvents
        try KernelThread.start {
            var loop = WatchLoop(
                routing: routing, devices: devices, filter: EventFilter(virtualPrefixes: virtualPrefixes), verbs: VerbsWatcher(log: log),
                burst: Burst(quiet: Self.quiet, timeout: Self.timeout))
            do throws(SystemError) {
                try loop.run(until: stopped, events: verbsContinuation, changes: continuation)
            } catch {
                log.error("changes of devices are not watched any more", metadata: ["error": "\(error)"])
            }
            verbsContinuation.finish()
            continuation.finish()
        }
        continuation.onTermination = { _ in try? UnixSocket.send([0], to: stop) }
    }
}

/// The sources of announcements, and the loop that reads them. For one thread.
private struct WatchLoop {
    let routing: EventSocket
    let devices: EventSocket
    var filter: EventFilter
    let verbs: VerbsWatcher
    var burst: Burst

    /// Runs until the descriptor is readable.
    mutating func run(
        until stopped: Descriptor, events: AsyncStream<VerbsEvent>.Continuation, changes: AsyncStream<Void>.Continuation
    ) throws(SystemError) {
        while true {
            let descriptors = [stopped, routing.descriptor, devices.descriptor] + verbs.descriptors
            let ready = try Poller.readable(descriptors, until: burst.deadline)
            if ready.contains(0) { return }
            var isChange = ready.contains(1) && readRouting()
            if ready.contains(2), readDevices() { isChange = true }
            if ready.contains(where: { $0 > 2 }) {
                for event in verbs.events() {
                    isChange = true
                    events.yield(event)
                }
            }
            if isChange { burst.note(at: .now) }
            if burst.isOver(at: .now) { changes.yield() }
        }
    }

    private mutating func readRouting() -> Bool { routing.drain { filter.isRelevant(routing: $0) } }

    /// Reads device events, and opens RDMA devices again when one was added or removed.
    private func readDevices() -> Bool {
        var touchesRDMA = false
        let isRelevant = devices.drain { datagram in
            if Uevent.subsystem(of: datagram).hasPrefix("infiniband") { touchesRDMA = true }
            return filter.isRelevant(uevent: datagram)
        }
        if touchesRDMA { verbs.reopen() }
        return isRelevant
    }
}
