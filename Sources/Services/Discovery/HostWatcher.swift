// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Linux
package import Logging
import Netlink

/// Announces changes of this host's devices. A thread waits for three sources: the groups of rtnetlink, uevents, and the event
/// descriptors of RDMA devices.
///
/// ``EventFilter`` drops announcements that do not concern a device, such as those of a pod's veth. ``Burst`` coalesces changes: it
/// announces them 60 ms after the last one, and once a second during a storm. An announcement does not identify the changed device; the
/// next snapshot shows it, so that a lost event does no harm.
package struct HostWatcher: Sendable {
    /// One element for any number of changes. A new snapshot is due after each element.
    package let changes: AsyncStream<Void>
    /// Events of the RDMA devices that libibverbs can open. Each event is also a change.
    package let verbsEvents: AsyncStream<VerbsEvent>

    private static let quiet = Duration.milliseconds(60)
    private static let timeout = Duration.seconds(1)

    /// Starts a thread that waits for announcements; it ends with ``changes``.
    ///
    /// - Parameter virtualPrefixes: name prefixes of virtual interfaces that are devices. Other virtual interfaces are ignored, because
    ///   pods create and delete them continuously.
    package init(virtualPrefixes: [String] = [], log: Logger) throws(SystemError) {
        // Closing this end of the pair ends the thread.
        let (stop, stopped) = try UnixSocket.pair()
        let routing = try EventSocket.routing()
        let devices = try EventSocket.devices()
        let wakeup = Wakeup()
        let (verbsEvents, verbsContinuation) = AsyncStream<VerbsEvent>.makeStream(bufferingPolicy: .bufferingNewest(256))
        changes = wakeup.signals
        self.verbsEvents = verbsEvents
        try KernelThread.start { [sender = wakeup.sender] in
            var loop = WatchLoop(
                routing: routing, devices: devices, filter: EventFilter(virtualPrefixes: virtualPrefixes), verbs: VerbsWatcher(log: log),
                burst: Burst(quiet: Self.quiet, timeout: Self.timeout))
            do throws(SystemError) {
                try loop.run(until: stopped, events: verbsContinuation, changes: sender)
            } catch {
                log.error("watching for device changes failed", metadata: ["error": "\(error)"])
            }
            verbsContinuation.finish()
            sender.finish()
        }
        wakeup.sender.onEnd { try? UnixSocket.send([0], to: stop) }
    }
}

/// The sources of announcements, and the loop that reads them. Used by one thread.
private struct WatchLoop {
    let routing: EventSocket
    let devices: EventSocket
    var filter: EventFilter
    let verbs: VerbsWatcher
    var burst: Burst

    /// Runs until the descriptor becomes readable.
    mutating func run(
        until stopped: Descriptor, events: AsyncStream<VerbsEvent>.Continuation, changes: Wakeup.Sender
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
            if burst.isOver(at: .now) { changes.signal() }
        }
    }

    private mutating func readRouting() -> Bool { routing.drain { filter.isRelevant(routing: $0) } }

    /// Reads uevents, and opens RDMA devices again after one was added or removed.
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
