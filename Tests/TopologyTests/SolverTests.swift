// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Testing
import Topology

/// The assignment compared with exhaustive search, on tables and on trees.
struct SolverTests {
    private func table(_ rows: Int, _ columns: Int, _ random: inout SplitMix) -> [[Distance]] {
        (0..<rows).map { _ in
            (0..<columns).map { _ in
                Distance(
                    pathClass: PathClass.allCases[Int.random(in: 0...4, using: &random)],
                    numa: [10, 21, 32][Int.random(in: 0...2, using: &random)], narrowness: Int.random(in: 0...2, using: &random) * 100)
            }
        }
    }

    private func value(_ groups: [PairGroup], _ table: [[Distance]]) -> (worst: Distance?, value: ExhaustiveSearch.Value) {
        let edges = groups.flatMap { group in group.accelerators.flatMap { accelerator in group.nics.map { table[accelerator][$0] } } }
        var value = ExhaustiveSearch.Value(placed: edges.count)
        for edge in edges {
            value.parts[0] += edge.pathClass.rawValue
            value.parts[1] += edge.numa
            value.parts[2] += edge.narrowness
        }
        return (edges.max(), value)
    }

    @Test
    func `no assignment of up to 7 x 7 is better`() throws {
        var random = SplitMix(seed: 42)
        for rows in 1...7 {
            for columns in 1...7 {
                for _ in 0..<4 {
                    let table = table(rows, columns, &random)
                    let found = value(PairSolver(table).groups(), table)
                    let best = try #require(ExhaustiveSearch(table).best())
                    #expect(found.worst == best.worst, "\(rows) x \(columns)")
                    #expect(found.value == best.value, "\(rows) x \(columns)")
                }
            }
        }
    }

    @Test
    func `no assignment of 8 x 8 is better`() throws {
        var random = SplitMix(seed: 8)
        for _ in 0..<4 {
            let table = table(8, 8, &random)
            let found = value(PairSolver(table).groups(), table)
            let best = try #require(ExhaustiveSearch(table).best())
            #expect(found.worst == best.worst)
            #expect(found.value == best.value)
        }
    }

    @Test
    func `no pairing of a random tree is better`() throws {
        var random = SplitMix(seed: 7)
        for _ in 0..<150 {
            let machine = RandomMachine.tree(&random)
            let topology = MachineTopology(machine)
            let accelerators = machine.devices.filter { $0.kind == .accelerator }
            let nics = topology.fabric.nics
            let table = accelerators.map { accelerator in
                nics.map { topology.distances.path(accelerator, $0)?.distance ?? Distance(pathClass: .unknown) }
            }
            let best = try #require(ExhaustiveSearch(table).best())
            #expect(topology.distancesOfPairs.max() == best.worst)
            #expect(topology.distancesOfPairs.count == best.value.placed)
            #expect(topology.distancesOfPairs.map(\.pathClass.rawValue).reduce(0, +) == best.value.parts[0])
            #expect(topology.distancesOfPairs.map(\.narrowness).reduce(0, +) == best.value.parts[2])
        }
    }

    @Test
    func `after any loss as few other devices as possible move, and all return after its end`() throws {
        var random = SplitMix(seed: 99)
        var compared = 0
        for round in 0..<80 {
            let machine =
                round % 2 == 0
                ? RandomMachine.tree(&random)
                : RandomMachine.nodes(
                    accelerators: (0..<4).map { _ in Int.random(in: 0...1, using: &random) },
                    nics: (0..<5).map { _ in Int.random(in: 0...1, using: &random) })
            let whole = MachineTopology(machine)
            for function in machine.functions {
                let rest = machine.without(function.address)
                let repaired = MachineTopology(rest, known: machine)
                let accelerators = rest.devices.filter { $0.kind == .accelerator }
                let nics = repaired.fabric.nics
                guard !accelerators.isEmpty, !nics.isEmpty else { continue }
                let table = accelerators.map { accelerator in
                    nics.map { repaired.distances.path(accelerator, $0)?.distance ?? Distance(pathClass: .unknown) }
                }
                let isKept: (Int, Int) -> Bool = { whole.partners[accelerators[$0].address]?.contains(nics[$1].address) == true }
                let edges = repaired.pairing.pairs.flatMap { pair in pair.links.map { ($0.accelerator, $0.nic) } }
                let moved = edges.count { whole.partners[$0.0]?.contains($0.1) != true }
                let (left, right) = (accelerators.map(\.numaNode), nics.map(\.numaNode))
                let isTurned = accelerators.count > nics.count
                let isMixed: (Int, [Int]) -> Bool = { one, others in
                    others.contains { isTurned ? left[$0] != right[one] : right[$0] != left[one] }
                }
                let best = try #require(ExhaustiveSearch(table, isKept: isKept, isMixed: isMixed).best())
                // A machine that lost a NIC may give fewer to one accelerator than to others, which exhaustive search does not
                // support; with equal numbers, it moves no more.
                if edges.count == best.value.placed, repaired.distancesOfPairs.max() == best.worst {
                    #expect(moved <= best.value.parts[4])
                    compared += 1
                }
                #expect(repaired.distancesOfPairs.max().map { $0 <= max(best.worst, whole.distancesOfPairs.max() ?? best.worst) } == true)
                #expect(MachineTopology(machine, known: rest).partners == whole.partners)
            }
        }
        // The comparison of moves matters: most losses have it.
        #expect(compared > 100, "\(compared) losses compared")
    }

    @Test
    func `pairs span as few NUMA nodes as possible`() throws {
        var random = SplitMix(seed: 31)
        for _ in 0..<150 {
            let accelerators = (0..<Int.random(in: 1...7, using: &random)).map { _ in Int.random(in: 0...2, using: &random) }
            let nics = (0..<Int.random(in: 1...7, using: &random)).map { _ in Int.random(in: 0...2, using: &random) }
            let machine = RandomMachine.nodes(accelerators: accelerators, nics: nics)
            let topology = MachineTopology(machine)
            let devices = machine.devices.filter { $0.kind == .accelerator }
            let table = devices.map { accelerator in
                topology.fabric.nics.map { topology.distances.path(accelerator, $0)?.distance ?? Distance(pathClass: .unknown) }
            }
            let isTurned = accelerators.count > nics.count
            let search = ExhaustiveSearch(
                table,
                isMixed: { one, others in
                    Set([isTurned ? nics[one] : accelerators[one]] + others.map { isTurned ? accelerators[$0] : nics[$0] }).count > 1
                })
            let best = try #require(search.best())
            let mixed = topology.pairing.pairs.count { Set($0.members.map(\.numaNode)).count > 1 }
            #expect(mixed <= best.value.parts[3], "\(accelerators) with \(nics)")
        }
    }

    @Test
    func `a NUMA node stays together if no other criterion decides`() {
        // Eight accelerators on two nodes and two NICs on one of them: each NIC gets the accelerators of one node.
        let machine = RandomMachine.nodes(accelerators: [0, 1, 0, 1, 0, 1, 0, 1], nics: [0, 0])
        for pair in MachineTopology(machine).pairing.pairs {
            #expect(Set(pair.accelerators.map(\.numaNode)).count == 1)
        }
    }

    @Test
    func `a NIC whose link went down before its loss keeps its place`() throws {
        var machine = try #require(try MachineDescription.embedded("azure-nd-a100-v4")).machine
        let whole = MachineTopology(machine)
        let index = try #require(machine.functions.firstIndex { $0.address.description == "0101:00:00.0" })
        machine.functions[index].rdmaDevices[0].ports[0].state = "DOWN"
        let rest = MachineTopology(machine.without(machine.functions[index].address), known: machine)
        #expect(rest.pairing.pairs.map(\.rail) == [0, 1, 3, 4, 5, 6, 7])
        for (accelerator, nics) in rest.partners where accelerator != "0001:00:00.0" { #expect(whole.partners[accelerator] == nics) }
    }

    @Test
    func `a table of 256 by 256 is solved within half a minute`() {
        // hack/bench measures the limits themselves.
        let start = ContinuousClock.now
        var random = SplitMix(seed: 3)
        let table = table(256, 256, &random)
        let groups = PairSolver(table).groups()
        #expect(Set(groups.flatMap(\.nics)).count == 256)
        #expect(groups.allSatisfy { $0.accelerators.count == 1 && $0.nics.count == 1 })
        #expect(ContinuousClock.now - start < .seconds(30))
    }
}
