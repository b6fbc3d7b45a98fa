// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Testing
import Topology

struct PairingTests {
    @Test(arguments: [
        ("aws-p4d", 4, 2, 1, "PHB", Basis.pci), ("aws-p5", 8, 1, 4, "PIX", .pci), ("aws-trn1", 8, 2, 1, "PHB", .pci),
        ("aws-trn2", 16, 1, 1, "PIX", .pci), ("hgx-a100", 8, 1, 1, "PIX", .pci),
        ("azure-nd-a100-v4", 8, 1, 1, "NODE", .numa),
    ])
    func `every known machine is paired as its makers intend`(
        name: String, pairs: Int, accelerators: Int, nics: Int, path: String, basis: Basis
    ) throws {
        let machine = try #require(try MachineDescription.embedded(name)).machine
        let pairing = Pairing(machine)
        #expect(pairing.pairs.count == pairs)
        #expect(pairing.unpairedAccelerators.isEmpty)
        #expect(pairing.unpairedNICs.isEmpty)
        for pair in pairing.pairs {
            #expect(pair.accelerators.count == accelerators)
            #expect(pair.nics.count == nics)
            #expect(Set(pair.links.map(\.path.pathClass.name)) == [path])
            #expect(pair.basis == basis)
            #expect(pair.numaNode != nil)
        }
        #expect(pairing.pairs.map(\.rail) == Array(0..<pairs))
    }

    @Test
    func `p5 pairs each GPU with the four EFAs before it`() throws {
        let machine = try #require(try MachineDescription.embedded("aws-p5")).machine
        let first = try #require(Pairing(machine).pairs.first)
        #expect(first.accelerators.map(\.address) == ["0000:53:00.0"])
        #expect(first.nics.map(\.address) == ["0000:4f:00.0", "0000:50:00.0", "0000:51:00.0", "0000:52:00.0"])
    }

    @Test
    func `an uplink takes no part`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        let index = try #require(machine.functions.firstIndex { !$0.netdevs.isEmpty })
        machine.functions[index].netdevs[0].isUplink = true
        let nics = Pairing(machine).pairs.flatMap(\.nics).map(\.address)
        #expect(!nics.contains(machine.functions[index].address.description))
        #expect(Pairing(machine).pairs.flatMap(\.accelerators).count == 8)
    }

    @Test
    func `a NIC of another kind takes nobody's place`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        // A faster one beside the first GPU.
        var other = try #require(machine.functions.first { $0.vendor == "15b3" })
        other.address.bus = 0x08
        other.device = "1021"
        machine.functions.append(other)
        #expect(!Pairing(machine).pairs.flatMap(\.nics).contains { $0.address == other.address.description })
    }

    @Test
    func `without any hierarchy the i-th accelerator has the i-th NIC, and says so`() {
        let machine = RandomMachine.flat(accelerators: 4, nics: 4)
        let pairing = Pairing(machine)
        #expect(pairing.pairs.map(\.basis) == [.ordinal, .ordinal, .ordinal, .ordinal])
        #expect(pairing.pairs.map { $0.nics[0].address } == Fabric(machine).nics.map(\.address))
    }

    @Test
    func `accelerators without NICs stay unpaired`() {
        let pairing = Pairing(RandomMachine.flat(accelerators: 3, nics: 0))
        #expect(pairing.pairs.isEmpty)
        #expect(pairing.unpairedAccelerators.count == 3)
    }

    @Test
    func `shares are equal, and as many accelerators as NICs allow share`() {
        for accelerators in 1...9 {
            for nics in 1...9 {
                let pairing = Pairing(RandomMachine.flat(accelerators: accelerators, nics: nics))
                if accelerators <= nics {
                    #expect(pairing.pairs.allSatisfy { $0.accelerators.count == 1 && $0.nics.count == nics / accelerators })
                    #expect(pairing.unpairedNICs.count == nics % accelerators)
                } else {
                    let counts = pairing.pairs.map(\.accelerators.count)
                    #expect(counts.reduce(0, +) == accelerators)
                    #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
                }
                #expect(pairing.unpairedAccelerators.isEmpty)
            }
        }
    }

    @Test
    func `no pairing of a small machine is better, by worst path and then by sum`() {
        var random = SplitMix(seed: 42)
        for _ in 0..<300 {
            let machine = RandomMachine.tree(&random)
            let accelerators = machine.devices.filter { $0.kind == .accelerator }
            let nics = Fabric(machine).nics
            let pairing = Pairing(machine)
            let costs = pairing.pairs.flatMap(\.links).map(\.path.cost)
            let best = BruteForce.best(accelerators, nics, machine)
            #expect(costs.max() == best.worst, "\(accelerators.count) x \(nics.count)")
            #expect(costs.reduce(0, +) == best.sum, "\(accelerators.count) x \(nics.count)")
        }
    }

    @Test
    func `the pairing does not depend on the order in which devices are listed`() {
        var random = SplitMix(seed: 7)
        for _ in 0..<50 {
            let machine = RandomMachine.tree(&random)
            var shuffled = machine
            shuffled.functions.shuffle(using: &random)
            #expect(PairsDocument(machine) == PairsDocument(shuffled))
        }
    }
}

/// Tries every balanced assignment.
private enum BruteForce {
    static func best(_ accelerators: [Device], _ nics: [Device], _ machine: Machine) -> (worst: Int?, sum: Int) {
        let costs = accelerators.map { accelerator in
            nics.map { nic in
                guard let left = accelerator.function, let right = nic.function else { return 0 }
                return Path(left, right, on: machine).cost
            }
        }
        // The fewer side has slots; every member of the other finds one.
        let few = min(accelerators.count, nics.count)
        let many = max(accelerators.count, nics.count)
        let share = many / few
        let isNICs = accelerators.count <= nics.count
        func cost(_ fewer: Int, _ more: Int) -> Int { isNICs ? costs[fewer][more] : costs[more][fewer] }
        var best: (Int, Int) = (.max, .max)
        var filled = [Int](repeating: 0, count: few)
        func place(_ item: Int, _ skipped: Int, _ worst: Int, _ sum: Int) {
            if worst > best.0 { return }
            if item == many {
                guard filled.allSatisfy({ $0 >= share }) else { return }
                if (worst, sum) < best { best = (worst, sum) }
                return
            }
            // NICs that are too many stay out; accelerators never do.
            if isNICs, skipped < many % few { place(item + 1, skipped + 1, worst, sum) }
            let limit = isNICs || many % few == 0 ? share : share + 1
            for slot in 0..<few where filled[slot] < limit {
                filled[slot] += 1
                let step = cost(slot, item)
                place(item + 1, skipped, max(worst, step), sum + step)
                filled[slot] -= 1
            }
        }
        place(0, 0, .min, 0)
        return (best.0, best.1)
    }
}

/// A generator whose numbers are the same in every run (Steele, Lea and Flood 2014).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

private enum RandomMachine {
    static func gpu(_ bus: UInt8, _ path: [String], _ node: Int?) -> PCIFunction {
        PCIFunction(
            address: PCIAddress(domain: 0, bus: bus, device: 0, function: 0), vendor: "10de", device: "2330",
            classCode: "030200", path: path, numaNode: node)
    }

    static func nic(_ bus: UInt8, _ path: [String], _ node: Int?) -> PCIFunction {
        PCIFunction(
            address: PCIAddress(domain: 0, bus: bus, device: 0, function: 0), vendor: "15b3", device: "1021",
            classCode: "020700", path: path, numaNode: node)
    }

    static func flat(accelerators: Int, nics: Int) -> Machine {
        Machine(
            functions: (0..<accelerators).map { gpu(UInt8($0), ["pci0000:00"], nil) }
                + (0..<nics).map { nic(UInt8(100 + $0), ["pci0000:00"], nil) })
    }

    /// Up to six of each, at random places of two sockets with two roots and two switches each.
    static func tree(_ random: inout SplitMix) -> Machine {
        var machine = Machine(numaNodes: [NUMANode(id: 0, distances: [10, 21]), NUMANode(id: 1, distances: [21, 10])])
        let counts = (Int.random(in: 1...5, using: &random), Int.random(in: 1...6, using: &random))
        for index in 0..<(counts.0 + counts.1) {
            let socket = Int.random(in: 0...1, using: &random)
            let root = "pci0000:\(socket)\(Int.random(in: 0...1, using: &random))"
            let bus = root.suffix(2)
            var path = [root]
            if Bool.random(using: &random) {
                path += ["0000:\(bus):0\(Int.random(in: 1...2, using: &random)).0", "0000:\(bus):1\(index % 10).0"]
            }
            let node = Int.random(in: 0...9, using: &random) == 0 ? nil : socket
            machine.functions.append(
                index < counts.0 ? gpu(UInt8(16 + index), path, node) : nic(UInt8(128 + index), path, node))
        }
        machine.functions.sort { $0.address < $1.address }
        return machine
    }
}
