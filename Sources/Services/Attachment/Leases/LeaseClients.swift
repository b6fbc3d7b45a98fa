// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import JournalModel
import Linux
package import NetworkModel
import PodNetwork

/// The DHCP clients of pods: a process for each interface and family (``LeaseClientProcess``), in the pod's namespace, with a separate
/// user and without capabilities. It requests, renews and releases the lease; the daemon only reads its reports.
///
/// ## Concurrency model
/// Used by one thread.
final class LeaseClients {
    struct Order {
        var key: LeaseKey
        /// The interface's name in messages.
        var label: String
        var namespace: NetworkNamespace
        /// The former address of the interface, which the server may assign again.
        var address: IPAddress?
        /// The server that assigned the address (``Lease/server``).
        var server: [UInt8]?
        /// Opens the client's socket on the interface.
        var open: () throws(PodNetworkError) -> LeaseSockets
        /// The interface's number in the pod.
        var index: Int32
    }

    private struct Client {
        var order: Order
        /// Nil while the client waits for its next start.
        var process: Subprocess?
        var reports: Descriptor?
        /// The first bytes of an incomplete report.
        var partial: [UInt8] = []
        var sockets: LeaseSockets?
        var nextStart = Deadline.now
    }

    private let options: LeaseClientOptions
    private var clients: [LeaseKey: Client] = [:]

    /// The delay before a client that ended by itself is restarted.
    private static let restartDelay = Duration.seconds(1)
    /// The time-out for stopping clients, all together. A release is one datagram; without it the server keeps the address until the
    /// lease ends. The runtime's own time-out is two seconds (NRI's default).
    private static let stopTimeout = Duration.milliseconds(400)
    private static let memory: UInt64 = 512 << 20
    private static let processorSeconds: UInt64 = 3600

    init(_ options: LeaseClientOptions) { self.options = options }

    var isEmpty: Bool { clients.isEmpty }

    /// Become readable when a client ends or reports.
    var descriptors: [Descriptor] {
        clients.values.flatMap { client in [client.process?.end, client.reports].compactMap(\.self) }
    }

    func isRunning(_ key: LeaseKey) -> Bool { clients[key] != nil }

    /// Starts a client, unless it runs.
    ///
    /// - Throws: ``PodNetworkError`` or `SystemError`.
    func start(_ order: Order) throws {
        guard clients[order.key] == nil else { return }
        var client = Client(order: order)
        try launch(&client)
        clients[order.key] = client
    }

    private func launch(_ client: inout Client) throws {
        let order = client.order
        client.sockets = nil
        client.partial = []
        let sockets = try order.open()
        let interface = LeaseInterface(index: order.index, type: sockets.type, address: sockets.address, broadcast: sockets.broadcast)
        let pipe = try Descriptor.pipe()
        let nothing = try Descriptor.open("/dev/null", flags: O_RDWR)
        client.process = try Subprocess(
            options.program, LeaseClientProcess.words(order.key.family, interface, former: order.address, giver: order.server),
            .init(
                namespace: order.namespace, user: options.user, group: options.user, memory: Self.memory,
                seconds: Self.processorSeconds, descriptors: [nothing, pipe.writing, nothing, sockets.socket]))
        client.reports = pipe.reading
        client.sockets = sockets
    }

    /// Reads the newest report of each client, and restarts clients that have ended.
    ///
    /// - Returns: the leases, and the time of the next restart; nil for never.
    func update() -> (leases: [LeaseKey: Lease], due: Deadline?) {
        var leases: [LeaseKey: Lease] = [:]
        for (key, client) in clients {
            var client = client
            leases[key] = update(&client)
            clients[key] = client
        }
        return (leases, clients.values.filter { $0.process == nil }.map(\.nextStart).min())
    }

    private func update(_ client: inout Client) -> Lease? {
        var (lease, isBroken): (Lease?, Bool) = (nil, false)
        if let reports = client.reports {
            (lease, isBroken) = Self.read(reports, &client.partial, client.order.key.family)
            lease?.time = .now
            if let address = lease?.address?.address { (client.order.address, client.order.server) = (address, lease?.server) }
        }
        if let process = client.process, isBroken || process.hasEnded {
            process.stop()
            (client.process, client.reports, client.sockets) = (nil, nil, nil)
            client.nextStart = .after(Self.restartDelay)
        }
        if client.process == nil, client.nextStart.hasPassed {
            // A failed start is retried.
            try? launch(&client)
            client.nextStart = .after(Self.restartDelay)
        }
        return lease
    }

    /// Reads a client's reports, bounded in size, because the client handles packets of unknown hosts.
    private static func read(_ reports: Descriptor, _ partial: inout [UInt8], _ family: Lease.Family) -> (lease: Lease?, isBroken: Bool) {
        var last: Lease?
        // Bounded, so that a client that writes without end does not block the others.
        for _ in 0..<4 {
            guard let bytes = try? reports.read(atMost: Lease.longestText), !bytes.isEmpty else { break }
            partial += bytes
            while let end = partial.indices.dropLast().first(where: { partial[$0] == 10 && partial[$0 + 1] == 10 }) {
                guard end <= Lease.longestText,
                    let lease = Lease(text: String(decoding: partial[...end], as: UTF8.self), family: family)
                else { return (last, true) }
                last = lease
                partial.removeFirst(end + 2)
            }
            if partial.count > Lease.longestText { return (last, true) }
        }
        return (last, false)
    }

    /// Ends clients in parallel; each returns its address to its server.
    func stop(_ keys: [LeaseKey]) {
        let ending = keys.compactMap { clients.removeValue(forKey: $0) }
        // The pipes stay open until the clients have ended: a client whose pipe closes ends without returning its address.
        withExtendedLifetime(ending) {
            let processes = ending.compactMap(\.process)
            for process in processes { process.ask() }
            Subprocess.stop(processes, deadline: .after(Self.stopTimeout))
        }
    }

    // MARK: Capabilities

    /// The capabilities that `nearside-nri` lacks to start a client: NET_RAW and NET_BIND_SERVICE to open its sockets, SETUID, SETGID and
    /// SETPCAP to drop its privileges, KILL to signal a process of another user.
    static func missingCapabilities(_ family: Lease.Family) -> [String] {
        // Numbers of linux/capability.h.
        var needed = [(5, "KILL"), (6, "SETGID"), (7, "SETUID"), (8, "SETPCAP"), (10, "NET_BIND_SERVICE")]
        if family == .v4 { needed.append((13, "NET_RAW")) }
        return needed.filter { capabilities & (1 << UInt64($0.0)) == 0 }.map(\.1)
    }

    private static let capabilities: UInt64 = {
        let status = (try? Files.readText("/proc/self/status")) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
        return line.flatMap { UInt64($0.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16) } ?? 0
    }()
}

/// The settings with which DHCP clients are started.
package struct LeaseClientOptions: Hashable, Sendable {
    /// The program: nearside-nri itself, under another name.
    package var program = "/proc/self/exe"
    /// The numeric user and group of the clients. The default 65534 owns no files.
    package var user: UInt32 = 65534
    /// The cluster's networks. A lease with an address or a route that overlaps them is rejected.
    package var clusterNetworks: [IPPrefix] = []

    package init() {}
}
