// SPDX-License-Identifier: Apache-2.0

import Addressing
import Glibc
import Journal
import Linux

/// The DHCP clients of pods: the distribution's own (udhcpc of busybox, and for IPv6 dhclient), one for each interface and family, in the
/// pod's namespace. It asks, renews and releases by itself; nobody waits for it.
///
/// ## Concurrency model
/// Used by one thread.
final class LeaseClients {
    struct Order {
        var key: LeaseKey
        /// Its name in the pod.
        var interface: String
        var namespace: NetworkNamespace
        /// The file that is written when something happens.
        var file: String
        /// The address it had, which the server may give again.
        var address: IPAddress?
    }

    private struct Client {
        var order: Order
        /// Nil while it waits for its next start.
        var process: Subprocess?
        var lastStart = 0
        var nextStart = 0
    }

    private let programs: LeasePrograms
    private var clients: [LeaseKey: Client] = [:]

    /// One that ends by itself is started anew after so many milliseconds.
    private static let pause = 1000
    /// A release is one datagram; the address would be free after its time anyway.
    private static let releasePatience = 300
    /// dhclient asks less and less often, in the end every two minutes (RFC 3315, SOL_MAX_RT). One that has no answer for so long is started
    /// anew, and asks four times as if it were the first time. So is udhcpc: when its answer could not be written down (no room, or who was
    /// to write it was killed), it would tell of it again only after half of the lease's time.
    private static let silence = 8000

    init(_ programs: LeasePrograms) { self.programs = programs }

    var isEmpty: Bool { clients.isEmpty }

    /// Can be read when a client has ended.
    var descriptors: [Descriptor] { clients.values.compactMap { $0.process?.end } }

    func isRunning(_ key: LeaseKey) -> Bool { clients[key] != nil }

    func start(_ order: Order) throws(SystemError) {
        guard clients[order.key] == nil else { return }
        clients[order.key] = Client(order: order, process: try process(order), lastStart: Poller.now())
    }

    private func process(_ order: Order, isRelease: Bool = false) throws(SystemError) -> Subprocess {
        guard let own = Files.resolve("/proc/self/exe") else { throw SystemError("find", "/proc/self/exe", code: ENOENT) }
        let program = programs[order.key.family]
        guard Files.exists(program) else {
            throw SystemError("find", "the \(order.key.family.protocolName) client \(program)", code: ENOENT)
        }
        let variable = "\(LeaseScript.file)=\(order.file)"
        var words: [String]
        switch order.key.family {
        case .v4:
            // Five times a second apart, and again after two: until there is an answer (RFC 2131 4.1 lets a client choose).
            words = ["udhcpc", "-f", "-R", "-i", order.interface, "-s", own, "-t", "5", "-T", "1", "-A", "2", "-O", "staticroutes"]
            if let address = order.address { words += ["-r", "\(address)"] }
        case .v6:
            // Known by its hardware address, so that an interface has the same address in the next pod. dhclient gives its script nothing of
            // its own environment.
            let memory = isRelease ? JournalFolder.boundClientFile(order.file) : JournalFolder.clientFile(order.file)
            words = ["dhclient", "-6", "-d", "-q", "--no-pid", "-D", "LL", "-cf", "/dev/null", "-lf", memory, "-sf", own, "-e", variable]
            words += (isRelease ? ["-r"] : []) + [order.interface]
        }
        return try Subprocess(program, words, environment: [variable, "PATH=/bin:/sbin"], in: order.namespace)
    }

    /// Starts those anew that have ended. Returns when the next is due, nil for never.
    func tend() -> Int? {
        let now = Poller.now()
        var due: Int?
        for (key, client) in clients {
            var client = client
            if let process = client.process {
                let hasEnded = (try? Poller.readable([process.end], milliseconds: 0))?.isEmpty == false
                if hasEnded || isSilent(client, at: now) {
                    process.stop(patience: 0)
                    client.process = nil
                    client.nextStart = now + (hasEnded ? Self.pause : 0)
                }
            }
            if client.process == nil, client.nextStart <= now {
                client.process = try? process(client.order)
                client.lastStart = now
                client.nextStart = now + Self.pause
            }
            clients[key] = client
            if client.process == nil {
                due = min(due ?? .max, client.nextStart)
            } else if now < client.lastStart + Self.silence {
                due = min(due ?? .max, client.lastStart + Self.silence)
            }
        }
        return due
    }

    private func isSilent(_ client: Client, at now: Int) -> Bool {
        guard now >= client.lastStart + Self.silence else { return false }
        let lease = (try? Files.readText(client.order.file)).flatMap { Lease(text: $0, family: client.order.key.family) }
        return lease?.address == nil || lease?.hasEnded(at: now) == true
    }

    /// They give their addresses back, all at once, and end.
    func stop(_ keys: [LeaseKey]) {
        let ending = keys.compactMap { clients.removeValue(forKey: $0) }
        for client in ending { client.process?.ask() }
        for client in ending { client.process?.stop(patience: Self.releasePatience) }
        // dhclient releases nothing when it ends: another one does, from its file.
        let releases = ending.filter {
            $0.order.key.family == .v6 && Files.exists(JournalFolder.boundClientFile($0.order.file))
        }.compactMap { try? process($0.order, isRelease: true) }
        for release in releases { release.stop(patience: Self.releasePatience) }
    }
}

/// Where the clients are: busybox, or whatever else is udhcpc when it is called so; and dhclient.
package struct LeasePrograms: Hashable, Sendable {
    package var v4 = "/bin/busybox"
    package var v6 = "/sbin/dhclient"

    package init() {}

    subscript(family: Lease.Family) -> String { family == .v4 ? v4 : v6 }
}
