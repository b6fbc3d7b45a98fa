// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import ResourceAPI
import Testbed

/// Benchmarks of the real daemons in one run, for `hack/bench`.
@main
struct NearsideBench {
    static func main() async {
        do { try await measure() } catch {
            print("nearside-bench: \(error)")
            exit(1)
        }
    }

    private static func measure() async throws {
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
        if CommandLine.arguments.dropFirst(2).first == "prepare" {
            try PrepareBench.measure(rounds, &table)
            return print(table.text)
        }
        if CommandLine.arguments.dropFirst(2).first == "claims" {
            try ClaimBench.measure(rounds, &table)
            return print(table.text)
        }
        if CommandLine.arguments.dropFirst(2).first == "memory" {
            try measureMemory(&table)
            return print(table.text)
        }
        try measureStart(rounds, &table)
        try measureMemory(&table)
        try SnapshotBench.measure(rounds * 5, &table)
        try measureChanges(rounds, &table)
        try TopologyBench.measure(rounds, &table)
        try await PublishingBench.measure(rounds, drivers: 1000, &table)
        try ClaimBench.measure(rounds, &table)
        print(table.text)
    }

    private static func node(machine name: String = "hgx-a100") throws -> TestNode {
        guard let machine = try MachineDescription.embedded(name)?.machine else { exit(1) }
        var options = TestNode.Options(programs: Place.programs, machine: machine)
        // On a real node, the journal and the CDI folder are in /run, which is a tmpfs.
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
    }

    /// The memory of the daemons on a machine with 32 network cards, after its slices were published.
    private static func measureMemory(_ table: inout Table) throws {
        let node = try node(machine: "aws-p5")
        try node.startInjector()
        try node.startNode()
        _ = try eventually { try node.api.hasWholePool() }
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

    /// Measures from the change of an interface to the changed slice at the API server.
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
}
