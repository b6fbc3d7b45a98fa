// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Glibc
import Linux
import NRIMessages
import Testbed
import Testing

/// Access to the daemons' sockets, and possible damage by clients.
@Suite(.serialized, .enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct SocketTests {
    /// A daemon that cannot open further descriptors.
    private struct Exhausted {
        let process: pid_t
        let log: String
        /// The counted message.
        let message: String
        private let before: Int

        init(_ process: ChildProcess?, log: String, message: String = "accepting a connection failed") throws {
            self.process = try #require(process).identifier
            self.log = log
            self.message = message
            // A limit below a number in use applies only to descriptors that are opened later (getrlimit(2)).
            let used = Set(Files.list("/proc/\(self.process)/fd").compactMap { Int($0) })
            before = try Self.refusals(log, message)
            try Self.limit(self.process, to: try #require((0...).first { !used.contains($0) }))
        }

        private static func limit(_ process: pid_t, to number: Int) throws {
            let result = try ChildProcess.run("/usr/bin/prlimit", ["--pid", "\(process)", "--nofile=\(number):"])
            guard result.status == 0 else { throw SystemError("limit descriptors: \(result.output)", "\(process)", code: EPERM) }
        }

        private static func refusals(_ log: String, _ message: String) throws -> Int {
            let lines = try Files.readText(log, limit: 64 << 20).split(separator: "\n")
            return lines.count { $0.contains(message) && $0.contains("Too many open files") }
        }

        func refusals() throws -> Int { try Self.refusals(log, message) - before }

        /// Processor time of all threads in hundredths of a second.
        func ticks() throws -> Int {
            let fields = try Files.readText("/proc/\(process)/stat").split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 12 ? (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : 0
        }

        func recover() throws { try Self.limit(process, to: 1024) }
    }

    @Test
    func `nearside-nri without a free descriptor serves the runtime, delays its attempts, and answers all clients later`() throws {
        let node = try TestNode.hgxA100()
        defer { node.removeAllPods() }
        try node.startInjector()
        let socket = node.scratch("states/nri.sock")
        let daemon = try Exhausted(node.injectorDaemon, log: node.scratch("nri.log"))
        defer { try? daemon.recover() }
        let clients = try (0..<40).map { _ in try UnixSocket.connect(socket) }
        for client in clients {
            try UnixSocket.send([UInt8](ControlRequest.status.line.utf8), to: client)
            try UnixSocket.setTimeout(client, .seconds(20))
        }
        #expect(try eventually { try daemon.refusals() > 0 }, "\(node.log("nri.log"))")
        let (ticks, refusals) = (try daemon.ticks(), try daemon.refusals())
        usleep(3_000_000)
        let pod = NRIPodSandbox.testbed(id: "s", uid: "pod-9", name: "p", networkNamespace: nil)
        try node.runtime?.run(pod)
        // One attempt each second: neither a line in the log nor a turn of the loop for each moment.
        #expect((1...10).contains(try daemon.refusals() - refusals))
        #expect(try daemon.ticks() - ticks < 100)
        try daemon.recover()
        for client in clients {
            let (bytes, _) = try UnixSocket.receive(from: client)
            #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("ok"))
        }
        #expect(node.injectorDaemon?.stop() == 0)
    }

    @Test
    func `nearside-node without a free descriptor delays its attempts on its own socket, and recovers`() throws {
        let node = try TestNode.hgxA100()
        try node.startInjector()
        try node.startNode()
        try node.addClaim("first")
        #expect(try eventually { try node.api.hasWholePool() })
        let daemon = try Exhausted(node.nodeDaemon, log: node.scratch("node.log"))
        defer { try? daemon.recover() }
        let clients = try (0..<10).map { _ in try UnixSocket.connect(node.scratch("journal/node.sock")) }
        #expect(try eventually { try daemon.refusals() > 0 }, "\(node.log("node.log"))")
        let (ticks, refusals) = (try daemon.ticks(), try daemon.refusals())
        usleep(3_000_000)
        #expect((1...10).contains(try daemon.refusals() - refusals))
        #expect(try daemon.ticks() - ticks < 100)
        try daemon.recover()
        withExtendedLifetime(clients) {}
        #expect(eventually { (try? node.prepare("first")) != nil }, "\(node.log("node.log"))")
        let reply = try ControlClient.ask(NodeRequest.check(.alive), socket: node.scratch("journal/node.sock"), timeout: .seconds(20))
        #expect(reply == .ok)
        try node.unprepare("first")
        #expect(node.nodeDaemon?.stop() == 0)
    }

    @Test(arguments: ["plugins/dra.nearside/dra.sock", "plugins_registry/dra.nearside-reg.sock", "metrics"])
    func `nearside-node without a free descriptor delays its attempts on the sockets for the kubelet and metrics`(
        socket: String
    ) throws {
        let node = try TestNode.hgxA100()
        node.options.nodeArguments = ["--metrics", "127.0.0.1:9178"]
        try node.startInjector()
        try node.startNode()
        try node.addClaim("first")
        #expect(try eventually { try node.api.hasWholePool() })
        #expect(eventually { node.log("node.log").contains("serving metrics") })
        let daemon = try Exhausted(node.nodeDaemon, log: node.scratch("node.log"), message: "connection not accepted")
        defer { try? daemon.recover() }
        var clients: [Descriptor] = []
        var browser: ChildProcess?
        if socket == "metrics" {
            browser = try ChildProcess("/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/9178; sleep 60"], in: node.host)
        } else {
            clients = try (0..<10).map { _ in try UnixSocket.connect(node.scratch(socket)) }
        }
        usleep(500_000)
        let (ticks, refusals) = (try daemon.ticks(), try daemon.refusals())
        usleep(3_000_000)
        // A spinning loop uses a whole processor, or 30 ticks a second if it shares one with seven others.
        #expect(try daemon.ticks() - ticks < 40)
        #expect((1...10).contains(try daemon.refusals() - refusals))
        try daemon.recover()
        withExtendedLifetime(clients) {}
        browser?.stop()
        #expect(eventually(seconds: 20) { (try? node.prepare("first")) != nil }, "\(node.log("node.log"))")
        try node.unprepare("first")
        #expect(node.nodeDaemon?.stop() == 0)
    }

    @Test
    func `a client that sends a request byte by byte does not delay probes`() throws {
        let node = try TestNode.hgxA100()
        try node.startNode()
        let socket = node.scratch("journal/node.sock")
        let slow = try UnixSocket.connect(socket)
        let (stop, stopped) = try UnixSocket.pair()
        try KernelThread.start {
            // Until the connection is closed, or the test has ended.
            while (try? Poller.readable([stopped], until: .after(.milliseconds(50)))) == [],
                (try? UnixSocket.send([UInt8(ascii: "a")], to: slow)) != nil
            {}
        }
        for _ in 0..<3 {
            #expect(try ControlClient.ask(NodeRequest.check(.alive), socket: socket, timeout: .seconds(4)) == .ok)
        }
        withExtendedLifetime(stop) {}
    }

    /// A probe of another user, with capabilities.
    private func probe(_ node: TestNode, _ daemon: String, _ capability: String) throws -> String {
        try ChildProcess.run(
            "/usr/bin/setpriv",
            [
                "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+\(capability)", "--ambient-caps=+\(capability)",
                "\(Place.programs)/\(daemon)", "--check", "alive", "--journal", node.scratch("journal"), "--states", node.scratch("states"),
            ], in: node.host
        ).output
    }

    @Test
    func `only root is served: other users cannot connect, and a process that passes file permissions is refused`() throws {
        let node = try TestNode.hgxA100()
        try node.startInjector()
        try node.startNode()
        for (daemon, socket, log) in [("nearside-nri", "states/nri.sock", "nri.log"), ("nearside-node", "journal/node.sock", "node.log")] {
            var status = stat()
            #expect(stat(node.scratch(socket), &status) == 0 && status.st_mode & 0o777 == 0o600)
            // The probe sees all folders, and may not write, like connecting to a socket requires.
            #expect(try probe(node, daemon, "dac_read_search").contains("Permission denied"))
            #expect(!node.log(log).contains("not root"))
            let refusal = try probe(node, daemon, "dac_override")
            // Closed before the request, or before the reply.
            #expect(refusal.hasPrefix("not alive: \(daemon) "), "\(refusal)")
            #expect(node.log(log).contains("not root"))
        }
        for folder in ["states/states", "journal/plans"] {
            var status = stat()
            #expect(stat(node.scratch(folder), &status) == 0 && status.st_mode & 0o777 == 0o700)
        }
        #expect(try ControlClient.ask(.status, socket: node.scratch("states/nri.sock"), timeout: .seconds(4)).refusal == nil)
    }

    @Test(arguments: [false, true])
    func `the gate is installed where files can be executed, and a noexec mount is reported with a remedy`(
        isNoExec: Bool
    ) throws {
        let scratch = try ScratchFolder()
        try Files.makeFolder(scratch("mount"))
        // A separate mount namespace, which ends with the process.
        let result = try ChildProcess.run(
            "/usr/bin/unshare",
            [
                "--mount", "/bin/sh", "-c", "mount -t tmpfs -o \"$1\" none \"$2\" && exec \"$3\" --install-gate \"$2/bin\"", "sh",
                isNoExec ? "noexec" : "exec", scratch("mount"), "\(Place.programs)/nearside-nri",
            ])
        #expect((result.status == 0) == !isNoExec, "\(result.output)")
        guard isNoExec else { return }
        #expect(result.output.contains("\(scratch("mount"))/bin is on a file system that is mounted noexec"), "\(result.output)")
        #expect(result.output.contains("set another folder in --install-gate here and in --gate of nearside-nri"))
    }
}
