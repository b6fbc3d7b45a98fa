// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Primitives
import Topology

/// Measures the pairing: known machines, and tables and machines larger than any on the market.
enum TopologyBench {
    static func measure(_ rounds: Int, _ table: inout Table) throws {
        for name in ["hgx-a100", "aws-p5", "aws-trn2"] {
            guard let machine = try MachineDescription.embedded(name)?.machine else { continue }
            table.add("topology of \(name)", times(rounds) { _ = MachineTopology(machine) }, "ms")
            table.add("sets of \(name)", times(rounds) { _ = MachineTopology(machine).sets }, "ms")
        }
        // Random distances are the worst case, because none are equal.
        var medians: [(size: Int, time: Double)] = []
        for (rows, columns) in [(8, 32), (64, 64), (128, 128), (256, 256), (512, 512)] {
            var random = SplitMix(seed: 1)
            let distances = (0..<rows).map { _ in
                (0..<columns).map { _ in
                    Distance(
                        pathClass: PathClass.allCases[Int.random(in: 0...4, using: &random)], numa: Int.random(in: 10...40, using: &random),
                        narrowness: Int.random(in: 0...4000, using: &random))
                }
            }
            let rounds = rows > 200 ? min(rounds, 5) : rounds
            let measured = times(rounds) { _ = PairSolver(distances).groups() }
            table.add("assignment of \(rows) x \(columns), random distances", measured, "ms")
            if rows == columns { medians.append((rows, measured.sorted()[measured.count / 2])) }
        }
        // Cases in which only NUMA nodes are known, with unequal sizes.
        for (rows, columns) in [(8, 12), (8, 64), (64, 64)] {
            var random = SplitMix(seed: 2)
            let left = (0..<rows).map { _ in Int.random(in: 0...3, using: &random) }
            let right = (0..<columns).map { _ in Int.random(in: 0...3, using: &random) }
            let distances = left.map { node in right.map { Distance(pathClass: $0 == node ? .node : .sys, numa: $0 == node ? 10 : 21) } }
            let nodes = (accelerators: left.map { Optional($0) }, nics: right.map { Optional($0) })
            table.add(
                "assignment of \(rows) x \(columns) on four NUMA nodes", times(rounds) { _ = PairSolver(distances, nodes: nodes).groups() },
                "ms")
        }
        for (smaller, larger) in zip(medians, medians.dropFirst()) {
            table.add("growth from \(smaller.size) to \(larger.size) (cubic is 8)", [larger.time / smaller.time], "times")
        }
        for size in [64, 256] {
            let machine = machine(size)
            table.add("topology of \(size) accelerators and \(size) NICs", times(min(rounds, 5)) { _ = MachineTopology(machine) }, "ms")
        }
        guard let machine = try MachineDescription.embedded("aws-p4d")?.machine else { return }
        let fleet = try Fleet(MachineTopology(machine))
        let mix = try ClaimMix("1:40,2:20,4:15,8:10,1a:15")
        table.add(
            "5000 nodes filled, and every claim replaced three times",
            times(min(rounds, 5)) {
                for strategy in RequestStrategy.allCases { _ = fleet.fill(nodes: 5000, mix: mix, strategy: strategy, turnover: 3, seed: 1) }
            },
            "ms")
    }

    private static func times(_ rounds: Int, _ body: () -> Void) -> [Double] {
        (0..<max(1, rounds)).map { _ in Stopwatch.milliseconds(body) }
    }

    /// Two sockets with switches of four accelerators and four NICs.
    private static func machine(_ size: Int) -> Machine {
        var functions: [PCIFunction] = []
        for index in 0..<size {
            let socket = index * 2 / size
            let root = "pci\(padded(index / 4)):00"
            for kind in 0..<2 {
                let domain = UInt32(index / 4)
                let port = PCIAddress(domain: domain, bus: 2, device: UInt8(index % 4 * 2 + kind), function: 0)
                functions.append(
                    PCIFunction(
                        address: PCIAddress(domain: domain, bus: UInt8(16 + index % 4 * 2 + kind), device: 0, function: 0),
                        vendor: kind == 0 ? "10de" : "15b3", device: kind == 0 ? "2330" : "1021",
                        classCode: kind == 0 ? "030200" : "020700",
                        path: [root, "\(padded(index / 4)):00:01.0", "\(padded(index / 4)):01:00.0", port.description], numaNode: socket,
                        link: PCILink(gigatransfers: 32, lanes: 16)))
            }
        }
        return Machine(
            numaNodes: [NUMANode(id: 0, distances: [10, 21]), NUMANode(id: 1, distances: [21, 10])],
            functions: functions.sorted { $0.address < $1.address })
    }

    private static func padded(_ number: Int) -> String {
        Hex.text(UInt(number), width: 4)
    }
}
