// SPDX-License-Identifier: Apache-2.0

import Discovery
import Glibc
import Hardware
import NetworkModel
import Linux
import Netlink
import Testbed

/// Measures one full snapshot: time, and allocations with `hack/bench`'s counter.
enum SnapshotBench {
    static func measure(_ rounds: Int, _ table: inout Table) throws {
        try measure("this host", Discovery(root: .live()), rounds, &table)
        guard let machine = try MachineDescription.embedded("aws-p5")?.machine else { return }
        try measure("the p5 tree, \(machine.functions.count) functions", machine, rounds, &table)
        for count in [128, 256] {
            let host = try macvlans(count)
            let snapshots = try host.run(
                { () throws(NetlinkError) in try sample(Discovery(root: .live()), rounds) },
                entering: { NetlinkError("enter the namespace", $0) })
            report("a host with \(count) macvlans with addresses", snapshots, &table)
        }
        for count in [128, 256] {
            try measureHost("a host with \(count) VFs", virtualFunctions(count, withRDMA: false), rounds, &table)
        }
        try measureHost("a host with 256 VFs with RDMA", virtualFunctions(256, withRDMA: true), rounds, &table)
    }

    private struct Sample {
        var milliseconds: Double
        var allocations: Double?
    }

    private static func measure(_ name: String, _ machine: Machine, _ rounds: Int, _ table: inout Table) throws {
        // The tree is in memory, like sysfs.
        let folder = try ScratchFolder("tree", in: Files.exists("/dev/shm") ? "/dev/shm" : "/tmp")
        try TreeWriter.write(machine, to: folder.path)
        try measure(name, Discovery(root: .captured(at: folder.path)), rounds, &table)
    }

    /// Measures a simulated live host: macvlans in the kernel over netlink, and everything else
    /// from a tree.
    private static func measureHost(_ name: String, _ machine: Machine, _ rounds: Int, _ table: inout Table) throws {
        let folder = try ScratchFolder("tree", in: Files.exists("/dev/shm") ? "/dev/shm" : "/tmp")
        try TreeWriter.write(machine, to: folder.path)
        let host = try NetworkNamespace.make()
        let lines = machine.allNetdevs.map { "link add link wire0 name \($0.name) type macvlan\n" }
        try Files.write(folder("make"), "link add wire0 type veth peer name wire1\n" + lines.joined())
        guard try ChildProcess.run("/sbin/ip", ["-batch", folder("make")], in: host).status == 0 else { exit(1) }
        let discovery = Discovery(root: .live(at: folder.path))
        let samples = try host.run(
            { () throws(NetlinkError) in try sample(discovery, rounds) }, entering: { NetlinkError("enter the namespace", $0) })
        report(name, samples, &table)
    }

    private static func measure(_ name: String, _ discovery: Discovery, _ rounds: Int, _ table: inout Table) throws {
        report(name, try sample(discovery, rounds), &table)
    }

    private static func sample(_ discovery: Discovery, _ rounds: Int) throws(NetlinkError) -> [Sample] {
        _ = try discovery.snapshot()
        var samples: [Sample] = []
        for _ in 0..<rounds {
            let (start, allocations) = (Stopwatch.now(), AllocationCounter.count?())
            _ = try discovery.snapshot()
            let end = Stopwatch.now()
            samples.append(
                Sample(
                    milliseconds: end - start,
                    allocations: allocations.flatMap { before in AllocationCounter.count.map { Double($0() - before) } }))
        }
        return samples
    }

    private static func report(_ name: String, _ samples: [Sample], _ table: inout Table) {
        table.add("snapshot of \(name)", samples.map(\.milliseconds), "ms")
        table.add("  allocations", samples.compactMap(\.allocations), "")
    }

    /// A namespace with a veth and macvlans on it, each with an IPv4 and an IPv6 address.
    private static func macvlans(_ count: Int) throws -> NetworkNamespace {
        let host = try NetworkNamespace.make()
        let scratch = try ScratchFolder()
        var lines = "link add wire0 type veth peer name wire1\nlink set wire0 up\n"
        for index in 0..<count {
            lines += "link add link wire0 name nic\(index) type macvlan\nlink set nic\(index) up\n"
            lines += "addr add 10.\(index / 256).\(index % 256).1/32 dev nic\(index)\n"
            lines += "addr add fd00::\(String(index + 1, radix: 16))/128 dev nic\(index)\n"
        }
        try Files.write(scratch("make"), lines)
        guard try ChildProcess.run("/sbin/ip", ["-batch", scratch("make")], in: host).status == 0 else { exit(1) }
        return host
    }

    /// A physical function with virtual functions, each with an interface and optionally an RDMA device.
    private static func virtualFunctions(_ count: Int, withRDMA: Bool) -> Machine {
        var physical = PCIFunction(
            address: PCIAddress(domain: 0, bus: 1, device: 0, function: 0), vendor: "15b3", device: "1021", classCode: "020000",
            path: ["pci0000:00", "0000:00:01.0"], numaNode: 0, driver: "mlx5_core")
        physical.sriov = SRIOV(total: 512, enabled: count)
        physical.link = PCILink(gigatransfers: 32, lanes: 16)
        let functions = (0..<count).map { index in
            let number = index + 1
            var function = PCIFunction(
                address: PCIAddress(
                    domain: 0, bus: UInt8(1 + number / 256), device: UInt8(number / 8 % 32), function: UInt8(number % 8)),
                vendor: "15b3", device: "101e", classCode: "020000", path: ["pci0000:00", "0000:00:01.0"], numaNode: 0,
                driver: "mlx5_core")
            function.physicalFunction = physical.address
            function.virtualFunctionIndex = index
            function.netdevs = [
                Netdev(name: "ens1v\(index)", index: 10 + index, mac: HardwareAddress(parsing: "02:00:00:00:00:01"), mtu: 1500, state: "up")
            ]
            guard withRDMA else { return function }
            var port = RDMAPort(number: 1, state: "ACTIVE", linkLayer: "Ethernet", rate: 400)
            port.netdev = "ens1v\(index)"
            port.gids = [GID(index: 0, value: "fe80:0000:0000:0000:0000:00ff:fe00:0001", type: "RoCE v2")]
            function.rdmaDevices = [
                RDMADevice(
                    name: "mlx5_\(index + 1)", nodeGUID: "0c42:a103:0000:0001", ports: [port],
                    charDevices: [CharDevice(path: "/dev/infiniband/uverbs\(index)", major: 231, minor: UInt32(192 + index))])
            ]
            return function
        }
        return Machine(functions: [physical] + functions)
    }
}

/// The counter that `hack/bench` preloads; nil if it is not loaded.
enum AllocationCounter {
    static let count: (@convention(c) () -> UInt64)? = {
        guard let symbol = dlsym(nil, "nearside_allocations") else { return nil }
        return unsafeBitCast(symbol, to: (@convention(c) () -> UInt64).self)
    }()
}
