// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import JournalModel
import Linux
package import NetworkModel
import PodNetwork

/// The DHCP clients of pods: a process for each interface and family (``LeaseClientProcess``), in the pod's namespace, as a user of its own and
/// without capabilities. It asks, renews and releases by itself; nobody waits for it.
///
/// ## Concurrency model
/// Used by one thread.
final class LeaseClients {
    struct Order {
        var key: LeaseKey
        var label: String
        var namespace: NetworkNamespace
        /// The address it had, which the server may give again.
        var address: IPAddress?
        /// The server that gave it (``Lease/server``).
        var server: [UInt8]?
        /// Opens what the client needs of the interface.
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
        var nextStart = 0
    }

    private let options: LeaseClientOptions
    private var clients: [LeaseKey: Client] = [:]

    /// One that ends by itself is started anew after so many milliseconds.
    private static let pause = 1000
    /// All that are to end have so many milliseconds together: a release is one datagram, and the address would be free after its time anyway.
    /// The runtime waits for two seconds (NRI's request time-out).
    private static let endingTime = 400
    private static let memory: UInt64 = 512 << 20
    private static let processorSeconds: UInt64 = 3600

    init(_ options: LeaseClientOptions) { self.options = options }

    var isEmpty: Bool { clients.isEmpty }

    /// Can be read when a client has ended or reports.
    var descriptors: [Descriptor] {
        clients.values.flatMap { client in [client.process?.end, client.reports].compactMap(\.self) }
    }

    func isRunning(_ key: LeaseKey) -> Bool { clients[key] != nil }

    func start(_ order: Order) throws(InjectionError) {
        guard clients[order.key] == nil else { return }
        var client = Client(order: order)
        try launch(&client)
        clients[order.key] = client
    }

    private func launch(_ client: inout Client) throws(InjectionError) {
        let order = client.order
        client.sockets = nil
        client.partial = []
        do {
            let sockets = try order.open()
            let interface = LeaseInterface(
                index: order.index, type: sockets.type, address: sockets.address, broadcast: sockets.broadcast)
            let pipe = try Descriptor.pipe()
            let nothing = try Descriptor.open("/dev/null", flags: O_RDWR)
            client.process = try Subprocess(
                options.program, LeaseClientProcess.words(order.key.family, interface, former: order.address, giver: order.server),
                .init(
                    namespace: order.namespace, user: options.user, group: options.user, memory: Self.memory,
                    seconds: Self.processorSeconds, descriptors: [nothing, pipe.writing, nothing, sockets.socket]))
            client.reports = pipe.reading
            client.sockets = sockets
        } catch { throw InjectionError("\(order.key.family.protocolName) on \(order.label): \(error)") }
    }

    /// Reads the clients' reports since the last call, the newest of each client, and restarts clients that have ended.
    ///
    /// - Returns: the leases, and when the next client is to be started, nil for never.
    func tend() -> (leases: [LeaseKey: Lease], due: Int?) {
        let now = Poller.now()
        var leases: [LeaseKey: Lease] = [:]
        var due: Int?
        for (key, client) in clients {
            var client = client
            var isBroken = false
            if let reports = client.reports {
                let outcome = Self.read(reports, &client.partial, key.family)
                if var lease = outcome.lease {
                    lease.time = now
                    leases[key] = lease
                    if let address = lease.address?.address { (client.order.address, client.order.server) = (address, lease.server) }
                }
                isBroken = outcome.isBroken
            }
            if let process = client.process, isBroken || process.hasEnded {
                process.stop()
                (client.process, client.reports, client.sockets) = (nil, nil, nil)
                client.nextStart = now + Self.pause
            }
            if client.process == nil, client.nextStart <= now {
                try? launch(&client)
                client.nextStart = now + Self.pause
            }
            clients[key] = client
            if client.process == nil { due = min(due ?? .max, client.nextStart) }
        }
        return (leases, due)
    }

    /// Reads what there is of a client's reports: bounded, as the client talks to strangers.
    private static func read(_ reports: Descriptor, _ partial: inout [UInt8], _ family: Lease.Family) -> (lease: Lease?, isBroken: Bool) {
        var last: Lease?
        // At most that much at a time: one that writes without an end does not hold up the others.
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

    /// They give their addresses back, all at once, and end.
    func stop(_ keys: [LeaseKey]) {
        let ending = keys.compactMap { clients.removeValue(forKey: $0) }
        // Their pipes stay open until they have ended: a client whose reports nobody reads ends without giving its address back.
        withExtendedLifetime(ending) {
            let processes = ending.compactMap(\.process)
            for process in processes { process.ask() }
            Subprocess.stop(processes, deadline: Poller.now() + Self.endingTime)
        }
    }
}

/// How DHCP clients are started.
package struct LeaseClientOptions: Hashable, Sendable {
    /// The program: nearside-nri itself, under another name.
    package var program = "/proc/self/exe"
    /// The user and the group that they run as: nobody's.
    package var user: UInt32 = 65534
    /// The cluster's networks, which no server may give an address in or a route to.
    package var clusterNetworks: [IPPrefix] = []

    package init() {}
}
