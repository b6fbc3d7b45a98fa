// SPDX-License-Identifier: Apache-2.0

import Addressing
import Glibc
import Journal
import Linux

/// The DHCP clients of pods: the distribution's own (udhcpc of busybox), one for each interface, in the pod's namespace. It asks, renews
/// and releases by itself; nobody waits for it.
///
/// ## Concurrency model
/// Used by one thread.
final class LeaseClients {
    /// Pods that share a claim each have an interface of the device, in their own namespaces.
    struct Key: Hashable {
        var claim: String
        var device: String
        var namespace: FileIdentity
    }

    struct Order {
        var key: Key
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
        var nextStart: Int
    }

    /// Of busybox, or whatever else is udhcpc when it is called so.
    private let program: String
    private var clients: [Key: Client] = [:]

    /// One that ends by itself is started anew after so many milliseconds.
    private static let pause = 1000
    /// A release is one datagram; the address would be free after its time anyway.
    private static let releasePatience = 300

    init(program: String) { self.program = program }

    var isEmpty: Bool { clients.isEmpty }

    /// Can be read when a client has ended.
    var descriptors: [Descriptor] { clients.values.compactMap { $0.process?.end } }

    func isRunning(_ key: Key) -> Bool { clients[key] != nil }

    func start(_ order: Order) throws(SystemError) {
        guard clients[order.key] == nil else { return }
        guard Files.exists(program) else { throw SystemError("find", "the DHCP client \(program)", code: ENOENT) }
        clients[order.key] = Client(order: order, process: try process(order), nextStart: 0)
    }

    private func process(_ order: Order) throws(SystemError) -> Subprocess {
        guard let own = Files.resolve("/proc/self/exe") else { throw SystemError("find", "/proc/self/exe", code: ENOENT) }
        // Five times a second apart, and again after two: until there is an answer (RFC 2131 4.1 lets a client choose).
        var words = ["udhcpc", "-f", "-R", "-i", order.interface, "-s", own, "-t", "5", "-T", "1", "-A", "2", "-O", "staticroutes"]
        if let address = order.address { words += ["-r", "\(address)"] }
        return try Subprocess(program, words, environment: ["\(LeaseScript.file)=\(order.file)", "PATH=/bin:/sbin"], in: order.namespace)
    }

    /// Starts those anew that have ended. Returns when the next is due, nil for never.
    func tend() -> Int? {
        let now = Poller.now()
        var due: Int?
        for (key, client) in clients {
            var client = client
            if let process = client.process {
                guard (try? Poller.readable([process.end], milliseconds: 0))?.isEmpty == false else { continue }
                process.stop(patience: 0)
                client.process = nil
                client.nextStart = now + Self.pause
            } else if client.nextStart <= now {
                client.process = try? process(client.order)
                client.nextStart = now + Self.pause
            }
            clients[key] = client
            if client.process == nil { due = min(due ?? .max, client.nextStart) }
        }
        return due
    }

    /// They give their addresses back, all at once, and end.
    func stop(_ keys: [Key]) {
        let ending = keys.compactMap { clients.removeValue(forKey: $0)?.process }
        for process in ending { process.ask() }
        for process in ending { process.stop(patience: Self.releasePatience) }
    }
}
