// SPDX-License-Identifier: Apache-2.0

import Discovery
import Glibc
import Hardware
import Linux
import Logging
import Netlink
import NetworkModel
import Synchronization
import Testbed
import Testing

struct BurstTests {
    private let start = ContinuousClock.now

    private func time(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

    @Test
    func `changes in quick succession are one burst`() {
        var burst = Burst(quiet: .milliseconds(60), timeout: .seconds(1))
        #expect(burst.deadline == nil)
        var ends: [Int] = []
        for now in 0...2000 {
            if now <= 500, now % 50 == 0 { burst.note(at: time(now)) }
            if now == 510 { #expect(burst.deadline == Deadline(time(560))) }
            if burst.isOver(at: time(now)) { ends.append(now) }
        }
        #expect(ends == [560])
        #expect(burst.deadline == nil)
    }

    @Test
    func `a storm is announced once a second, and once after its end`() {
        var burst = Burst(quiet: .milliseconds(60), timeout: .seconds(1))
        var announcements = 0
        // 10,000 events in 10 s.
        for now in 0..<10_000 {
            burst.note(at: time(now))
            if burst.isOver(at: time(now)) { announcements += 1 }
        }
        if burst.isOver(at: time(10_060)) { announcements += 1 }
        #expect((9...11).contains(announcements))
    }
}

struct EventFilterTests {
    private func link(_ name: String, _ kind: String?, isGone: Bool = false) -> ArraySlice<UInt8> {
        var builder = MessageBuilder()
        Link.header(&builder, index: 7)
        builder.attribute(3, text: name)
        if let kind { builder.nested(18) { $0.attribute(1, text: kind) } }
        return Message(type: isGone ? 17 : 16, flags: 0, payload: builder.body).bytes[...]
    }

    private let address = Message(type: 20, flags: 0, payload: [2, 24, 0, 0, 7, 0, 0, 0, 8, 0, 2, 0, 10, 0, 0, 1]).bytes[...]

    @Test
    func `creation, addresses and deletion of a pod's interface are irrelevant`() {
        var filter = EventFilter(virtualPrefixes: ["fab"])
        let events = [address, link("veth1234", "veth"), address, link("veth1234", "veth", isGone: true), address]
        // The index can belong to another interface afterwards.
        #expect(events.map { filter.isRelevant(routing: $0) } == [true, false, false, false, true])
    }

    @Test
    func `hardware, other kinds, and virtual interfaces that are devices are relevant`() {
        var filter = EventFilter(virtualPrefixes: ["fab"])
        let events = [
            link("eth0", nil), link("bond0", "bond"), link("fab0", "veth"), link("eth0", nil, isGone: true), [1, 2, 3],
        ]
        #expect(events.map { filter.isRelevant(routing: $0) } == [true, true, true, true, true])
    }

    @Test
    func `a route to a single address is relevant only with a gateway, and other routes always`() {
        var filter = EventFilter(virtualPrefixes: [])
        let header: [UInt8] = [2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0]
        var host = header + [8, 0, 1, 0, 10, 0, 0, 9]
        host[1] = 32
        let gateway = host + [8, 0, 5, 0, 10, 0, 0, 1]
        var network = host
        network[1] = 8
        let events = [header, host, gateway, network].map { Message(type: 24, flags: 0, payload: $0).bytes[...] }
        #expect(events.map { filter.isRelevant(routing: $0) } == [true, false, true, true])
    }

    @Test(arguments: [("pci", true), ("infiniband", true), ("auxiliary", true), ("net", false), ("queues", false), ("", true)])
    func `the subsystem decides the relevance of a device event`(subsystem: String, isRelevant: Bool) {
        let filter = EventFilter(virtualPrefixes: [])
        let text =
            "add@/devices/x\u{0}ACTION=add\u{0}DEVPATH=/devices/x\u{0}"
            + (subsystem.isEmpty ? "" : "SUBSYSTEM=\(subsystem)\u{0}SEQNUM=1\u{0}")
        #expect(filter.isRelevant(uevent: [UInt8](text.utf8)[...]) == isRelevant)
    }
}

private final class Flag: Sendable {
    private let value = Mutex(false)
    var isRaised: Bool { value.withLock { $0 } }
    func raise() { value.withLock { $0 = true } }
}

private actor Counter {
    private(set) var count = 0

    func add() { count += 1 }
}

@Suite(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"), .serialized)
struct WatcherTests {
    /// The number of announcements while the closure runs in a separate namespace and after it, and the duration of
    /// the closure.
    private func announcements(
        prefixes: [String] = [], _ work: @escaping @Sendable (NetlinkSocket) throws(NetlinkError) -> Void
    ) async throws -> (count: Int, duration: Duration) {
        let host = try NetworkNamespace.make()
        let watcher = try host.run { () throws(SystemError) in
            try HostWatcher(virtualPrefixes: prefixes, log: Logger(label: "test"))
        }
        let counter = Counter()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in watcher.changes { await counter.add() } }
            // The announcement of the loopback has passed.
            try await Task.sleep(for: .milliseconds(200))
            let before = await counter.count
            let start = ContinuousClock.now
            try host.run(
                { () throws(NetlinkError) in try work(try NetlinkSocket()) }, entering: { NetlinkError("enter the namespace", $0) })
            let end = ContinuousClock.now
            try await Task.sleep(for: .milliseconds(1500))
            group.cancelAll()
            return (await counter.count - before, end - start)
        }
    }

    private static func addPair(_ socket: NetlinkSocket, _ name: String) throws(NetlinkError) -> Int32 {
        try socket.addLink(name, kind: "veth")
        guard let link = try socket.link(named: name) else { throw NetlinkError("find \(name)", code: ENODEV) }
        try socket.change(link.index, LinkChange(isUp: true), "raise \(name)")
        return link.index
    }

    @Test
    func `creating and deleting ten interfaces of pods causes no snapshot`() async throws {
        let seen = try await announcements { (socket) throws(NetlinkError) in
            for pod in 0..<10 {
                let index = try Self.addPair(socket, "pod\(pod)")
                usleep(30_000)
                try socket.deleteLink(index)
            }
        }
        #expect(seen.count == 0)
    }

    @Test
    func `adding and removing ten devices causes at most three snapshots`() async throws {
        let seen = try await announcements(prefixes: ["fab", "veth"]) { (socket) throws(NetlinkError) in
            for pod in 0..<10 {
                let index = try Self.addPair(socket, "fab\(pod)")
                usleep(30_000)
                try socket.deleteLink(index)
            }
        }
        #expect((1...3).contains(seen.count), "\(seen)")
    }

    @Test
    func `a storm of ten thousand changes causes a bounded number of snapshots`() async throws {
        let seen = try await announcements { (socket) throws(NetlinkError) in
            try socket.addLink("br0", kind: "bridge")
            guard let link = try socket.link(named: "br0") else { throw NetlinkError("find br0", code: ENODEV) }
            for change in 0..<10_000 {
                try socket.change(link.index, LinkChange(mtu: UInt32(1400 + change % 2)), "change br0")
            }
        }
        #expect(seen.count >= 1 && seen.count <= Int(seen.duration.components.seconds) + 2, "\(seen)")
    }

    @Test
    func `events that the kernel dropped count as a change`() throws {
        let host = try NetworkNamespace.make()
        let events = try host.run { () throws(SystemError) in try EventSocket.routing() }
        try host.run(
            { () throws(NetlinkError) in
                let socket = try NetlinkSocket()
                let index = try Self.addPair(socket, "pod0")
                // Far more than a socket's buffer, without a reader.
                for change in 0..<2000 { try socket.change(index, LinkChange(mtu: UInt32(1400 + change % 2)), "change pod0") }
            }, entering: { NetlinkError("enter the namespace", $0) })
        var datagrams = 0
        let isChange = events.drain { _ in
            datagrams += 1
            return false
        }
        #expect(isChange && datagrams < 2000)
        // After the report, the state is as before.
        #expect(!events.drain { _ in false })
    }

    @Test
    func `a snapshot is complete while interfaces are created and deleted`() throws {
        let host = try NetworkNamespace.make()
        let stop = Flag()
        let done = Flag()
        _ = try ChildProcess.run("/sbin/ip", ["link", "add", "stays0", "type", "veth", "peer", "name", "stays1"], in: host)
        try host.run { () throws(SystemError) in
            try KernelThread.start {
                defer { done.raise() }
                guard let socket = try? NetlinkSocket() else { return }
                while !stop.isRaised {
                    for number in 0..<20 { _ = try? Self.addPair(socket, "pod\(number)") }
                    for link in (try? socket.links()) ?? [] where link.name.hasPrefix("pod") { try? socket.deleteLink(link.index) }
                }
            }
        }
        defer {
            stop.raise()
            while !done.isRaised { usleep(1000) }
        }
        for _ in 0..<100 {
            let found = try host.run(
                { () throws(NetlinkError) in try Discovery(root: .live()).snapshot() }, entering: { NetlinkError("enter", $0) })
            let names = found.machine.virtualNetdevs.map(\.name)
            #expect(Set(names).count == names.count)
            // These interfaces exist all the time, so that each snapshot has them.
            #expect(Set(names).isSuperset(of: ["stays0", "stays1"]), "\(names)")
        }
    }

    @Test
    func `the watcher's thread ends with its stream`() async throws {
        func threads() -> Int { Files.list("/proc/self/task").count }
        let before = threads()
        for _ in 0..<5 {
            let watcher = try HostWatcher(log: Logger(label: "test"))
            // Without a reader the stream ends at once.
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in watcher.changes {} }
                group.cancelAll()
            }
        }
        #expect(try await eventually { threads() <= before + 2 })
    }

    private func eventually(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<200 {
            if condition() { return true }
            try await Task.sleep(for: .milliseconds(20))
        }
        return false
    }
}
