// SPDX-License-Identifier: Apache-2.0

import Discovery
import Glibc
import Hardware
import KubeletAPI
import Linux
import NRIMessages
import ResourceAPI
import Testbed
import Topology

/// Figures of the real daemons, in one run: `hack/bench`.
@main
struct NearsideBench {
    static func main() async throws {
        let rounds = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 10 : 10
        var table = Table()
        if CommandLine.arguments.dropFirst(2).first == "topology" {
            try TopologyBench.measure(rounds, &table)
            return print(table.text)
        }
        if CommandLine.arguments.dropFirst(2).first == "publishing" {
            try await PublishingBench.measure(rounds, drivers: 1000, &table)
            return print(table.text)
        }
        guard Place.canUseNamespaces else {
            print("nearside-bench: \(Place.rootReason)")
            exit(1)
        }
        if CommandLine.arguments.dropFirst(2).first == "snapshots" {
            try SnapshotBench.measure(rounds, &table)
            return print(table.text)
        }
        try measureStart(rounds, &table)
        try SnapshotBench.measure(rounds * 5, &table)
        try measureChanges(rounds, &table)
        try TopologyBench.measure(rounds, &table)
        try await PublishingBench.measure(rounds, drivers: 1000, &table)
        for links in [1, 8] { try measureClaims(links, rounds, &table) }
        print(table.text)
    }

    private static func node() throws -> TestNode {
        guard let machine = try MachineDescription.embedded("hgx-a100")?.machine else { exit(1) }
        var options = TestNode.Options(programs: Place.programs, machine: machine)
        // The journal and the CDI folder of a node lie below /run, which is a tmpfs.
        if Files.exists("/dev/shm") { options.folder = "/dev/shm" }
        return try TestNode(options)
    }

    private static func measureStart(_ rounds: Int, _ table: inout Table) throws {
        var registered: [Double] = []
        var ready: [Double] = []
        var published: [Double] = []
        for _ in 0..<rounds {
            let node = try node()
            ready.append(try Stopwatch.milliseconds { try node.startInjector() })
            let start = Stopwatch.now()
            try node.startNode()
            registered.append(Stopwatch.now() - start)
            _ = try eventually { try node.api.hasWholePool() }
            published.append(Stopwatch.now() - start)
        }
        table.add("start -> NRI ready", ready, "ms")
        table.add("start -> registered with the kubelet", registered, "ms")
        table.add("start -> first ResourceSlice", published, "ms")
        let node = try node()
        try node.startInjector()
        try node.startNode()
        sleep(3)
        for (name, daemon) in [("nearside-node", node.nodeDaemon), ("nearside-nri", node.injectorDaemon)] {
            guard let daemon else { continue }
            for line in try Files.readText("/proc/\(daemon.identifier)/status").split(separator: "\n") {
                for field in ["VmRSS:", "RssAnon:"] where line.hasPrefix(field) {
                    let kilobytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Double($0) } ?? 0
                    table.add("\(name) \(field.dropLast()) at rest", [kilobytes / 1024], "MiB")
                }
            }
        }
    }

    /// From the change of an interface to the changed slice at the API server.
    private static func measureChanges(_ rounds: Int, _ table: inout Table) throws {
        let node = try node()
        try node.startInjector()
        try node.startNode()
        guard try eventually({ try node.api.hasWholePool() }) else { return }
        let devices = { try node.api.slices().flatMap { $0.spec.devices ?? [] } }
        guard let name = try devices().compactMap({ $0.attributes?["ifName"] }).first, case .string(let interface) = name else { return }
        var times: [Double] = []
        for round in 0..<rounds {
            let mtu = 1400 + round
            let ended = try ChildProcess.run("/sbin/ip", ["link", "set", interface, "mtu", "\(mtu)"], in: node.host)
            guard ended.status == 0 else { return print(ended.output) }
            let start = Stopwatch.now()
            _ = try eventually { try devices().contains { $0.attributes?["ifName"] == name && $0.attributes?["mtu"] == .int(Int64(mtu)) } }
            times.append(Stopwatch.now() - start)
        }
        table.add("change of an interface -> slice at the API server", times, "ms")
    }

    private static func measureClaims(_ links: Int, _ rounds: Int, _ table: inout Table) throws {
        let node = try node()
        defer { node.removeAllPods() }
        try node.startInjector()
        try node.startNode()
        guard try eventually({ try node.api.hasWholePool() }) else { return }
        let nics = try node.api.slices().flatMap { $0.spec.devices ?? [] }.filter { $0.attributes?["kind"] == .string("nic") }
        var prepare: [Double] = []
        var run: [Double] = []
        var stop: [Double] = []
        var unprepare: [Double] = []
        for round in 0..<rounds {
            let uid = "claim-\(links)-\(round)"
            try node.api.add(
                "resourceclaims/default",
                ResourceClaim(
                    metadata: Metadata(name: uid, namespace: "default", uid: uid),
                    status: ResourceClaimStatus(
                        allocation: AllocationResult(
                            devices: DeviceAllocation(
                                results: nics.prefix(links).map {
                                    AllocatedDevice(request: "nic", driver: node.options.driver, pool: node.options.node, device: $0.name)
                                })),
                        reservedFor: [ConsumerReference(resource: "pods", name: uid, uid: uid)])))
            let pod = try node.makePod(uid, uid: uid)
            prepare.append(try Stopwatch.milliseconds { _ = try node.kubelet?.prepare(namespace: "default", name: uid, uid: uid) })
            run.append(try Stopwatch.milliseconds { try node.runtime?.run(pod) })
            stop.append(try Stopwatch.milliseconds { try node.runtime?.stop(pod) })
            unprepare.append(try Stopwatch.milliseconds { try node.kubelet?.unprepare(namespace: "default", name: uid, uid: uid) })
            node.removePod(pod)
        }
        table.add("NodePrepareResources, \(links) links", prepare, "ms")
        table.add("RunPodSandbox, \(links) links", run, "ms")
        table.add("StopPodSandbox, \(links) links", stop, "ms")
        table.add("NodeUnprepareResources, \(links) links", unprepare, "ms")
        table.add("of RunPodSandbox the kernel's moves, \(links) links", try rawMoves(links, rounds), "ms")
    }

    /// The floor: nothing but the kernel's move of as many interfaces, by `ip` in one batch.
    private static func rawMoves(_ links: Int, _ rounds: Int) throws -> [Double] {
        let host = try NetworkNamespace.make()
        let scratch = try ScratchFolder()
        var lines = "link add wire0 type veth peer name wire1\n"
        for index in 0..<links { lines += "link add link wire0 name nic\(index) type macvlan\nlink set nic\(index) up\n" }
        try Files.write(scratch("make"), lines)
        _ = try ChildProcess.run("/sbin/ip", ["-batch", scratch("make")], in: host)
        var times: [Double] = []
        for _ in 0..<rounds {
            let pod = try NetworkNamespace.make()
            let path = "/run/netns/near-bench-\(getpid())"
            try Files.makeFolder("/run/netns")
            try bind(pod, to: path)
            defer { unbind(path) }
            try Files.write(scratch("in"), (0..<links).map { "link set nic\($0) netns \(path)\n" }.joined())
            times.append(try Stopwatch.milliseconds { _ = try ChildProcess.run("/sbin/ip", ["-batch", scratch("in")], in: host) })
            let back = "/run/netns/near-bench-host-\(getpid())"
            try bind(host, to: back)
            defer { unbind(back) }
            try Files.write(scratch("out"), (0..<links).map { "link set nic\($0) netns \(back)\n" }.joined())
            _ = try ChildProcess.run("/sbin/ip", ["-batch", scratch("out")], in: pod)
            try Files.write(scratch("up"), (0..<links).map { "link set nic\($0) up\n" }.joined())
            _ = try ChildProcess.run("/sbin/ip", ["-batch", scratch("up")], in: host)
        }
        return times
    }
}
