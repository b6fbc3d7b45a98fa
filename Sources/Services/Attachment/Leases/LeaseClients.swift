// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import JournalModel
import Linux
package import NetworkModel
import PodNetwork

/// The DHCP clients of pods: a process for each interface and family (``LeaseClientProcess``), in the pod's namespace, as a user of its own and
/// without capabilities. It requests, renews and releases the lease by itself; nothing waits for it.
///
/// ## Concurrency model
/// Used by one thread.
final class LeaseClients {
    struct Order {
        var key: LeaseKey
        /// The interface's name in messages.
        var label: String
        var namespace: NetworkNamespace
        /// The address that the interface had, which the server may give again.
        var address: IPAddress?
        /// The server that gave it (``Lease/server``).
        var server: [UInt8]?
        /// Opens the client's socket on the interface.
        var open: () throws(PodNetworkError) -> LeaseSockets
        /// The interface's number in the pod.
        var index: Int32
    }

    private struct Client {
        var order: Order
        /// Nil while it waits for its next start.
        var process: Subprocess?
        var reports: Descriptor?
        /// The first bytes of a report that is not complete yet.
        var partial: [UInt8] = []
        var sockets: LeaseSockets?
        var nextStart = Deadline.now
    }

    private let options: LeaseClientOptions
    private var clients: [LeaseKey: Client] = [:]

    /// The time until a client that ended by itself is started again.
    private static let restartDelay = Duration.seconds(1)
    /// The time that all clients that are stopped have together: a release is one datagram, and without it the address would be free after
    /// its lease. The runtime waits for two seconds (NRI's request time-out).
    private static let stopTimeout = Duration.milliseconds(400)
    private static let memory: UInt64 = 512 << 20
    private static let processorSeconds: UInt64 = 3600

    init(_ options: LeaseClientOptions) { self.options = options }

    var isEmpty: Bool { clients.isEmpty }

    /// Can be read when a client has ended or reports.
    var descriptors: [Descriptor] {
        clients.values.flatMap { client in [client.process?.end, client.reports].compactMap(\.self) }
    }

    func isRunning(_ key: LeaseKey) -> Bool { clients[key] != nil }

    /// Starts a client where none runs.
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

    /// Reads the clients' reports since the last call, the newest of each client, and restarts clients that have ended.
    ///
    /// - Returns: the leases, and the time at which the next client has to be started, nil for never.
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
            lease?.time = Poller.now()
            if let address = lease?.address?.address { (client.order.address, client.order.server) = (address, lease?.server) }
        }
        if let process = client.process, isBroken || process.hasEnded {
            process.stop()
            (client.process, client.reports, client.sockets) = (nil, nil, nil)
            client.nextStart = .after(Self.restartDelay)
        }
        if client.process == nil, client.nextStart.hasPassed {
            // A client that cannot be started is tried again.
            try? launch(&client)
            client.nextStart = .after(Self.restartDelay)
        }
        return lease
    }

    /// Reads a client's reports within bounds, as the client talks to strangers.
    private static func read(_ reports: Descriptor, _ partial: inout [UInt8], _ family: Lease.Family) -> (lease: Lease?, isBroken: Bool) {
        var last: Lease?
        // A bounded number of reads: a client that writes without an end does not hold up the others.
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

    /// Ends clients, all at once; each returns its address to its server.
    func stop(_ keys: [LeaseKey]) {
        let ending = keys.compactMap { clients.removeValue(forKey: $0) }
        // Their pipes stay open until they have ended: a client ends without returning its address when the other end of its pipe is closed.
        withExtendedLifetime(ending) {
            let processes = ending.compactMap(\.process)
            for process in processes { process.ask() }
            Subprocess.stop(processes, deadline: .after(Self.stopTimeout))
        }
    }

    // MARK: Capabilities

    /// The capabilities that starting a client needs and `nearside-nri` lacks: NET_RAW and NET_BIND_SERVICE to open its sockets, SETUID, SETGID
    /// and SETPCAP to drop its privileges, KILL to end it although it is another user's.
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

/// The way in which DHCP clients are started.
package struct LeaseClientOptions: Hashable, Sendable {
    /// The program: nearside-nri itself, under another name.
    package var program = "/proc/self/exe"
    /// The number of the user and the group that they run as; 65534 by default, which owns no files.
    package var user: UInt32 = 65534
    /// The cluster's networks, which no server may give an address in or a route to.
    package var clusterNetworks: [IPPrefix] = []

    package init() {}
}
