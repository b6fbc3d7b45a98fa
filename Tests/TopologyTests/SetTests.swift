// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Testing
import Topology

/// Sets of pairs, and their rails.
struct SetTests {
    private func embedded(_ name: String) throws -> Machine { try #require(try MachineDescription.embedded(name)).machine }

    private func sets(_ machine: Machine) -> [[Int]] { MachineTopology(machine).sets.sets.map(\.rails) }

    @Test
    func `sets do not split switches and NUMA nodes`() throws {
        #expect(
            try sets(embedded("aws-p6-b200")) == [
                [0, 1], [2, 3], [4, 5], [6, 7], [0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7],
            ])
        #expect(try sets(embedded("gcp-a3-highgpu-8g")) == [[0, 1], [2, 3], [0, 1, 2, 3]])
        #expect(try sets(embedded("aws-g5")) == [])
        let names = MachineTopology(try embedded("aws-p5")).sets.sets.map(\.name)
        #expect(names == ["pairs-2-0", "pairs-2-1", "pairs-2-2", "pairs-2-3", "pairs-4-0", "pairs-4-1", "pairs-8-0"])
    }

    @Test
    func `directly linked accelerators stay together, also across NUMA nodes`() throws {
        // As on Trainium, where neighbours in the ring are not on one root.
        var machine = try embedded("azure-nd-mi300x")
        func link(_ left: String, _ right: String) throws {
            let first = try #require(machine.functions.firstIndex { $0.address.description == left })
            machine.functions[first].accelerator = AcceleratorFacts(neighbours: [try #require(PCIAddress(parsing: right))])
        }
        for (near, far) in [("0011", "0051"), ("0021", "0061"), ("0031", "0071"), ("0041", "0081")] {
            try link("\(near):00:00.0", "\(far):00:00.0")
        }
        #expect(sets(machine).prefix(4) == [[0, 4], [1, 5], [2, 6], [3, 7]])
        for index in machine.functions.indices where machine.functions[index].vendor == "1002" {
            machine.functions[index].accelerator = AcceleratorFacts(hive: "1")
        }
        #expect(sets(machine).prefix(4) == [[0, 1], [2, 3], [4, 5], [6, 7]])
    }

    @Test
    func `one pair of an odd number has no set`() {
        let machine = RandomMachine.nodes(accelerators: [0, 0, 0, 1, 1], nics: [0, 0, 0, 1, 1])
        let sets = sets(machine)
        #expect(sets.count == 3)
        #expect(sets.last?.count == 4)
        #expect(Set(sets.prefix(2).joined()).count == 4)
        #expect(sets.contains([3, 4]))
    }

    @Test
    func `no other sets of two are nearer`() {
        var random = SplitMix(seed: 21)
        for _ in 0..<40 {
            let machine = RandomMachine.tree(&random, accelerators: 4...6, nics: 6...8)
            let topology = MachineTopology(machine)
            let pairs = topology.pairing.pairs
            guard pairs.count % 2 == 0, pairs.allSatisfy({ $0.accelerators.count == 1 }) else { continue }
            func cost(_ left: Int, _ right: Int) -> [Int] {
                let accelerators =
                    topology.distances.path(pairs[left].accelerators[0], pairs[right].accelerators[0])?.pathClass.rawValue ?? 0
                let nics = topology.distances.path(pairs[left].nics[0], pairs[right].nics[0])?.pathClass.rawValue ?? 0
                return [accelerators, nics]
            }
            func least(_ rest: [Int]) -> [Int] {
                guard let first = rest.first else { return [0, 0] }
                return rest.dropFirst().map { second in
                    zip(cost(first, second), least(rest.filter { $0 != first && $0 != second })).map(+)
                }.min { $0.lexicographicallyPrecedes($1) } ?? [0, 0]
            }
            let found = topology.sets.sets.filter { $0.rails.count == 2 }.map { cost($0.rails[0], $0.rails[1]) }.reduce([0, 0]) {
                zip($0, $1).map(+)
            }
            #expect(found == least(Array(pairs.indices)))
        }
    }

    /// The same machine with other bus numbers: those of each root are moved, so that their order changes across NUMA nodes.
    private func renumbered(_ machine: Machine, by change: (UInt8) -> UInt8) -> Machine {
        func moved(_ address: PCIAddress) -> PCIAddress {
            var address = address
            address.bus = change(address.bus)
            return address
        }
        var machine = machine
        for index in machine.functions.indices {
            machine.functions[index].address = moved(machine.functions[index].address)
            machine.functions[index].path = machine.functions[index].path.map { part in
                if let address = PCIAddress(parsing: part) { return moved(address).description }
                guard part.hasPrefix("pci"), let bus = UInt8(part.suffix(2), radix: 16) else { return part }
                return part.dropLast(2) + String(change(bus), radix: 16)
            }
        }
        machine.functions.sort { $0.address < $1.address }
        return machine
    }

    @Test(arguments: ["aws-p5", "aws-p6-b200", "aws-trn2", "aws-p4d"])
    func `rails do not depend on bus numbers`(name: String) throws {
        let machine = try embedded(name)
        // The buses of the second NUMA node before those of the first.
        let second = machine.functions.filter { $0.numaNode == 1 }.compactMap(\.hostBridge).compactMap { UInt8($0.suffix(2), radix: 16) }
        let first = try #require(second.min())
        let change: (UInt8) -> UInt8 = { $0 &- first }
        let other = MachineTopology(renumbered(machine, by: change))
        let rails = Dictionary(
            uniqueKeysWithValues: other.pairing.pairs.flatMap { pair in
                pair.members.compactMap { member in member.function.map { ($0.address, pair.rail) } }
            })
        for pair in MachineTopology(machine).pairing.pairs {
            for member in pair.members.compactMap(\.function) {
                var address = member.address
                address.bus = change(address.bus)
                #expect(rails[address] == pair.rail)
            }
        }
    }

    @Test
    func `the quality of the pairing does not depend on device names`() {
        var random = SplitMix(seed: 13)
        for _ in 0..<60 {
            let machine = RandomMachine.tree(&random)
            var renamed = machine
            var buses = Array(UInt8(0)...UInt8.max).shuffled(using: &random)
            for index in renamed.functions.indices { renamed.functions[index].address.bus = buses.removeLast() }
            renamed.functions.sort { $0.address < $1.address }
            #expect(MachineTopology(renamed).distancesOfPairs.sorted() == MachineTopology(machine).distancesOfPairs.sorted())
        }
    }

    @Test
    func `an additional worse NIC never makes the pairing worse`() {
        var random = SplitMix(seed: 17)
        for _ in 0..<80 {
            let machine = RandomMachine.tree(&random)
            let before = MachineTopology(machine)
            var more = machine
            // A NIC without a known place has no longer path than others.
            more.functions.append(RandomMachine.nic(250, [], nil))
            let after = MachineTopology(more)
            guard let worst = before.distancesOfPairs.max() else { continue }
            // If there are fewer NICs than accelerators, the NIC takes an equal share of them.
            guard before.fabric.nics.count >= before.partners.count else { continue }
            let grows = (before.fabric.nics.count + 1) / before.partners.count > before.fabric.nics.count / before.partners.count
            if !grows { #expect(after.distancesOfPairs.max() == worst) }
            for (accelerator, nics) in before.partners where !grows { #expect(after.partners[accelerator]?.count ?? 0 >= nics.count) }
            if !grows {
                #expect(
                    after.distancesOfPairs.sorted().prefix(before.distancesOfPairs.count).elementsEqual(before.distancesOfPairs.sorted()))
            }
        }
    }

    @Test
    func `a machine gives the same result in every run and every order`() {
        var random = SplitMix(seed: 23)
        for _ in 0..<40 {
            let machine = RandomMachine.tree(&random)
            var shuffled = machine
            shuffled.functions.shuffle(using: &random)
            shuffled.functions.sort { $0.address < $1.address }
            #expect(MachineTopology(machine).pairing.pairs == MachineTopology(shuffled).pairing.pairs)
        }
    }
}
