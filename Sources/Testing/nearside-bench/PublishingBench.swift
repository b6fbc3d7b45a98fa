// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Hardware
import NetworkModel
import Kubernetes
import Logging
import ResourceAPI
import SliceModel
import SlicePublisher
import Testbed
import Topology

/// Measures building and comparing slices, and a thousand drivers with one API server.
enum PublishingBench {
    private static let policy = PublishingPolicy(driver: "dra.nearside", owned: ["gpus"])

    static func measure(_ rounds: Int, drivers: Int, _ table: inout Table) async throws {
        measureSlices(rounds, &table)
        try await measureDrivers(drivers, &table)
    }

    // MARK: Slices

    /// A machine with pairs of one accelerator and one NIC, each below its own root.
    private static func machine(_ pairs: Int, mtu: Int = 1500) -> Machine {
        var machine = Machine(name: "bench")
        for index in 0..<pairs {
            for (bus, vendor, device, code) in [(UInt8(1), "10de", "2330", "030200"), (2, "15b3", "1021", "020000")] {
                var function = PCIFunction(
                    address: PCIAddress(domain: UInt32(index), bus: bus, device: 0, function: 0), vendor: vendor, device: device,
                    classCode: code,
                    path: ["pci\(index):00"], numaNode: index % 8, driver: "x")
                if vendor == "15b3" {
                    function.netdevs = [
                        Netdev(
                            name: "eth\(index)", mac: HardwareAddress(parsing: "02:00:00:00:00:01"), mtu: mtu, state: "up",
                            addresses: [IPPrefix(parsing: "10.0.0.1/24")].compactMap(\.self))
                    ]
                    function.rdmaDevices = [
                        RDMADevice(name: "mlx5_\(index)", ports: [RDMAPort(number: 1, state: "ACTIVE", linkLayer: "Ethernet", rate: 400)])
                    ]
                }
                machine.functions.append(function)
            }
        }
        machine.functions.sort { $0.address < $1.address }
        return machine
    }

    private static func measureSlices(_ rounds: Int, _ table: inout Table) {
        let owner = SliceOwner(driver: "dra.nearside", node: "node", nodeUID: "uid")
        let topology = MachineTopology(machine(256))
        let slices = SliceDevices(topology, policy)
        let changed = SliceDevices(MachineTopology(machine(256, mtu: 9000)), policy)
        let stored = SlicePlan(desired: slices.whole, stored: [], owner: owner).creations.enumerated().map { index, slice in
            var slice = slice
            slice.metadata.name = (slice.metadata.generateName ?? "") + "abcde"
            slice.metadata.uid = "\(index)"
            return slice
        }
        let times = { (body: () -> Void) in (0..<rounds).map { _ in Stopwatch.milliseconds(body) } }
        table.add("\(slices.whole.devices.count) devices: build the slices", times { _ = SliceDevices(topology, policy) }, "ms")
        table.add(
            "  compare with what is stored, the same", times { _ = SlicePlan(desired: slices.whole, stored: stored, owner: owner) }, "ms")
        table.add(
            "  compare with what is stored, all NICs changed",
            times { _ = SlicePlan(desired: changed.whole, stored: stored, owner: owner) },
            "ms")
    }

    // MARK: Drivers

    private static func measureDrivers(_ count: Int, _ table: inout Table) async throws {
        guard let description = try MachineDescription.embedded("hgx-a100") else { return }
        var other = description.machine
        if let index = other.functions.firstIndex(where: { !$0.netdevs.isEmpty && !$0.netdevs[0].isUplink }) {
            other.functions[index].netdevs[0].mtu = 1500
        }
        let first = SliceDevices(MachineTopology(description.machine), policy)
        let second = SliceDevices(MachineTopology(other), policy)
        let api = try APIServer()
        for node in 0..<count { try api.add("nodes", NodeObject.named("node-\(node)")) }
        let endpoint = APIEndpoint(url: api.url)
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try endpoint.configuration(limit: count + 64))
        let log = Logger(label: "bench", factory: { _ in SwiftLogNoOpLogHandler() })
        let publishers = (0..<count).map { node in
            SlicePublisher(
                client: ResourceClient(APIClient(endpoint: endpoint, http: http)), driver: policy.driver, node: "node-\(node)", log: log)
        }
        func note(_ name: String, _ body: () async throws -> Void) async throws {
            let (requests, bytes) = (api.requests.count, api.bytes)
            let start = Stopwatch.now()
            try await body()
            let time = Stopwatch.now() - start
            // Watches may still be starting, and report earlier writes.
            try await Task.sleep(for: .seconds(1))
            table.add("\(count) drivers, \(name): time until all is published", [time], "ms")
            table.add("  requests of a node", [Double(api.requests.count - requests) / Double(count)], "")
            table.add("  KiB of a node, both ways", [Double(api.bytes - bytes) / 1024 / Double(count)], "KiB")
        }
        func settle() async throws {
            for publisher in publishers {
                while await !publisher.current.isCurrent { try await Task.sleep(for: .milliseconds(5)) }
            }
        }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                try await note("all start at once") {
                    for publisher in publishers {
                        await publisher.publish(first)
                        group.addTask { try await publisher.run() }
                    }
                    try await settle()
                }
                try await note("one device changes on each") {
                    for publisher in publishers { await publisher.publish(second) }
                    try await settle()
                }
                let requests = api.requests.count
                for _ in 0..<5 {
                    for publisher in publishers { await publisher.publish(second) }
                    try await Task.sleep(for: .seconds(1))
                }
                table.add("  requests of a node in five seconds of rest", [Double(api.requests.count - requests) / Double(count)], "")
            }
        } catch is CancellationError {}
        try await http.shutdown()
        api.shutDown()
    }
}
