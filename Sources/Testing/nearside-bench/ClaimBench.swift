// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import NRIMessages
import Netlink
import NetworkModel
import ResourceAPI
import Testbed

/// Measures a claim from Prepare to Unprepare over the daemons' own sockets, alternating with a program that performs only the same
/// moves.
enum ClaimBench {
    static func measure(_ rounds: Int, _ table: inout Table) throws {
        guard let machine = try MachineDescription.embedded("hgx-a100")?.machine else { return }
        var options = TestNode.Options(programs: Place.programs, machine: machine)
        // On a real node, the journal and the CDI folder are in /run, which is a tmpfs.
        if Files.exists("/dev/shm") { options.folder = "/dev/shm" }
        options.virtualNICs = "vnic"
        let node = try TestNode(options)
        defer { node.removeAllPods() }
        try node.addInterfaces(32)
        try node.startInjector()
        try node.startNode()
        guard try eventually({ try node.api.hasWholePool() }) else { return print("nothing is published: \(node.log("node.log"))") }
        let nics = try interfaces(node)
        guard nics.count == 32 else { return print("\(nics.count) interfaces are published, not 32") }
        for links in [1, 8, 32] {
            try measure(node, Array(nics.prefix(links)), rounds: links == 32 ? max(3, rounds / 3) : rounds, &table)
        }
        try measureBackToBack(node, Array(nics.prefix(1)), pods: 40, &table)
    }

    private static func interfaces(_ node: TestNode) throws -> [String] {
        try node.api.slices().flatMap { $0.spec.devices ?? [] }.map(\.name).filter { $0.contains("vnic") }
    }

    private static func addClaim(_ uid: String, _ nics: [String], _ node: TestNode) throws {
        let results = nics.map {
            AllocatedDevice(request: "nic", driver: node.options.driver, pool: node.options.node, device: $0)
        }
        try node.api.add(
            "resourceclaims/default",
            ResourceClaim(
                metadata: Metadata(name: uid, namespace: "default", uid: uid),
                status: ResourceClaimStatus(
                    allocation: AllocationResult(devices: DeviceAllocation(results: results)),
                    reservedFor: [ConsumerReference(resource: "pods", name: uid, uid: uid)])))
    }

    private static func measure(_ node: TestNode, _ nics: [String], rounds: Int, _ table: inout Table) throws {
        var times: [String: [Double]] = [:]
        func time(_ what: String, _ body: () throws -> Void) rethrows { times[what, default: []].append(try Stopwatch.milliseconds(body)) }
        let bare = try BareMover(node.host, nics.indices.map { "vnic\($0)" })
        var calls: (attach: Strace.Calls, detach: Strace.Calls, flushes: Strace.Calls)?
        for round in 0...rounds {
            let uid = "claim-\(nics.count)-\(round)"
            try addClaim(uid, nics, node)
            let pod = try node.makePod(uid, uid: uid)
            // The last round counts system calls, which slows everything down.
            if round == rounds {
                let flushes = try Strace.count(node.nodeDaemon, only: "fsync,fdatasync") {
                    _ = try node.kubelet?.prepare(namespace: "default", name: uid, uid: uid)
                }
                let attach = try Strace.count(node.injectorDaemon) { try node.runtime?.run(pod) }
                let detach = try Strace.count(node.injectorDaemon) { try node.runtime?.stop(pod) }
                if let flushes, let attach, let detach { calls = (attach, detach, flushes) }
                try node.kubelet?.unprepare(namespace: "default", name: uid, uid: uid)
                node.removePod(pod)
                break
            }
            try time("nothing") { try node.kubelet?.prepareNothing() }
            try time("prepare") { _ = try node.kubelet?.prepare(namespace: "default", name: uid, uid: uid) }
            try time("attach") { try node.runtime?.run(pod) }
            try time("admit") { try node.runtime?.create(NRIContainer(), in: pod) }
            try time("detach") { try node.runtime?.stop(pod) }
            try time("unprepare") { try node.kubelet?.unprepare(namespace: "default", name: uid, uid: uid) }
            node.removePod(pod)
            // The kernel removes a namespace asynchronously, and moves wait for it.
            usleep(300_000)
            let other = try NetworkNamespace.make()
            try time("bare attach") { try bare.attach(to: other) }
            try time("bare detach") { try bare.detach(from: other) }
            // nearside-node is not notified of these moves; it has to observe the return of all interfaces.
            usleep(1_000_000)
            _ = try eventually { try interfaces(node).count == 32 }
        }
        let links = nics.count == 1 ? "1 link" : "\(nics.count) links"
        for (what, title) in [
            ("nothing", "  a call without a claim"), ("prepare", "NodePrepareResources"), ("attach", "RunPodSandbox"),
            ("bare attach", "  a bare program's moves there"),
            ("admit", "CreateContainer"), ("detach", "StopPodSandbox"), ("bare detach", "  a bare program's moves back"),
            ("unprepare", "NodeUnprepareResources"),
        ] { table.add("\(title), \(links)", times[what] ?? [], "ms") }
        for what in ["attach", "detach"] {
            let ratio = Stopwatch.median(times[what] ?? []) / Stopwatch.median(times["bare \(what)"] ?? [])
            table.add("\(what) to bare moves, \(links)", [ratio], "times")
        }
        guard let calls else { return }
        for (what, counted) in [("attach", calls.attach), ("detach", calls.detach)] {
            table.add("system calls of \(what) per link, \(links)", [Double(counted.moves) / Double(nics.count)], "")
            table.add("  with messages, journal and log", [Double(counted.all) / Double(nics.count)], "")
        }
        table.add("flushes (a file, its folder) of Prepare, \(links)", [Double(calls.flushes.all)], "")
    }

    private static func measureBackToBack(_ node: TestNode, _ nics: [String], pods: Int, _ table: inout Table) throws {
        var prepare: [Double] = []
        for number in 0..<pods {
            let uid = "quick-\(number)"
            try addClaim(uid, nics, node)
            let pod = try node.makePod(uid, uid: uid)
            prepare.append(try Stopwatch.milliseconds { _ = try node.kubelet?.prepare(namespace: "default", name: uid, uid: uid) })
            try node.runtime?.run(pod)
            try node.runtime?.create(NRIContainer(), in: pod)
            try node.runtime?.stop(pod)
            try node.kubelet?.unprepare(namespace: "default", name: uid, uid: uid)
            node.removePod(pod)
        }
        table.add("NodePrepareResources of \(pods) pods back to back", prepare, "ms")
    }
}

/// Moves interfaces with an address between namespaces: the minimum work of any driver.
private struct BareMover {
    private let host: NetworkNamespace
    private let socket: NetlinkSocket
    private let names: [String]

    init(_ host: NetworkNamespace, _ names: [String]) throws {
        self.host = host
        self.names = names
        socket = try host.run({ () throws(NetlinkError) in try NetlinkSocket() }, entering: { NetlinkError("enter", $0) })
    }

    func attach(to pod: NetworkNamespace) throws {
        let links = try socket.links()
        try execute(
            socket,
            names.enumerated().compactMap { index, name in
                links.first { $0.name == name }.map {
                    .change($0.index, LinkChange(name: "net\(index)", namespace: pod.descriptor.raw), "move")
                }
            })
        try set(up: "net", in: pod, socket: nil)
    }

    func detach(from pod: NetworkNamespace) throws {
        let host = host
        try pod.run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            let links = try socket.links()
            try execute(
                socket,
                names.enumerated().compactMap { index, name in
                    links.first { $0.name == "net\(index)" }.map {
                        .change($0.index, LinkChange(name: name, namespace: host.descriptor.raw), "move")
                    }
                })
        } entering: {
            NetlinkError("enter", $0)
        }
        try set(up: "vnic", in: host, socket: socket)
    }

    private func set(up prefix: String, in namespace: NetworkNamespace, socket: NetlinkSocket?) throws(NetlinkError) {
        func set(_ socket: NetlinkSocket) throws(NetlinkError) {
            let links = try socket.links()
            var requests: [NetlinkRequest] = []
            for index in names.indices {
                guard let link = links.first(where: { $0.name == "\(prefix)\(index)" }),
                    let address = IPAddress(bytes: [10, 78, UInt8(index), 1])
                else { continue }
                requests.append(.set(InterfaceAddress(index: link.index, prefix: IPPrefix(address: address, length: 24))))
                requests.append(.change(link.index, LinkChange(isUp: true), "bring up"))
            }
            try execute(socket, requests)
        }
        if let socket { return try set(socket) }
        try namespace.run({ () throws(NetlinkError) in try set(NetlinkSocket()) }, entering: { NetlinkError("enter", $0) })
    }

    private func execute(_ socket: NetlinkSocket, _ requests: [NetlinkRequest]) throws(NetlinkError) {
        if let failure = try socket.execute(all: requests).first { throw failure.error }
    }
}

/// Counts the system calls of a running process; nil without strace.
private enum Strace {
    struct Calls {
        var all = 0
        /// System calls of the moves, without the runtime's message and its answer, the journal, the log, and waits.
        var moves = 0
    }

    static func count(_ process: ChildProcess?, only calls: String? = nil, _ body: () throws -> Void) throws -> Calls? {
        guard let process, Files.exists("/usr/bin/strace") else {
            try body()
            return nil
        }
        let scratch = try ScratchFolder()
        let filter = calls.map { ["-e", "trace=\($0)"] } ?? []
        let tracer = try ChildProcess(
            "/usr/bin/strace", ["-f", "-qq", "-o", scratch("calls"), "-p", "\(process.identifier)"] + filter)
        let isTraced = eventually {
            (try? Files.readText("/proc/\(process.identifier)/status"))?.contains("TracerPid:\t0\n") == false
        }
        usleep(200_000)
        try body()
        usleep(50_000)
        tracer.stop(SIGINT)
        let text = try Files.readText(scratch("calls"), limit: 64 << 20)
        if let keep = getenv("NEARSIDE_CALLS") { try Files.write("\(String(cString: keep))-\(Stopwatch.now())", text) }
        return isTraced ? count(text) : nil
    }

    private static let others = [
        "futex(", "poll(", "recvmsg(", "sendmsg(", "write(", "read(", "rename(", "unlink(", "restart_syscall(", "brk(",
    ]

    private static func count(_ text: String) -> Calls {
        var calls = Calls()
        for line in text.split(separator: "\n") {
            // A call that another thread's call interrupted has a second line; the last calls are pending waits.
            guard !line.contains(" resumed>"), !line.contains("+++"), !line.contains("--- "), !line.contains("<detached") else { continue }
            calls.all += 1
            let call = line.drop { $0 != " " }.drop { $0 == " " }
            let isOfJournal = call.contains("/journal/") || call.contains("/states/") || call.contains("localtime")
            if isOfJournal || others.contains(where: call.hasPrefix) {
                // The file is closed again.
                if call.hasPrefix("openat("), !call.contains("= -1") { calls.moves -= 1 }
                continue
            }
            calls.moves += 1
        }
        return calls
    }
}
