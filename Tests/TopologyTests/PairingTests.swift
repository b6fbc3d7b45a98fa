// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import NetworkModel
import Testing
import Topology

struct PairingTests {
    @Test(arguments: [
        ("aws-p4d", 4, 2, 1, "PHB", Basis.pci), ("aws-p5", 8, 1, 4, "PIX", .pci), ("aws-trn1", 8, 2, 1, "PHB", .pci),
        ("aws-trn2", 16, 1, 1, "PIX", .pci), ("hgx-a100", 8, 1, 1, "PIX", .pci),
        ("azure-nd-a100-v4", 8, 1, 1, "NODE", .numa),
    ])
    func `every known machine is paired as its vendor intends`(
        name: String, pairs: Int, accelerators: Int, nics: Int, path: String, basis: Basis
    ) throws {
        let machine = try #require(try MachineDescription.embedded(name)).machine
        let pairing = MachineTopology(machine).pairing
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
        let first = try #require(MachineTopology(machine).pairing.pairs.first)
        #expect(first.accelerators.map(\.address) == ["0000:53:00.0"])
        #expect(first.nics.map(\.address) == ["0000:4f:00.0", "0000:50:00.0", "0000:51:00.0", "0000:52:00.0"])
    }

    @Test
    func `an uplink takes no part in the pairing`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        let index = try #require(machine.functions.firstIndex { !$0.netdevs.isEmpty })
        machine.functions[index].netdevs[0].hostUse = HostUse(.defaultRoute)
        let nics = MachineTopology(machine).pairing.pairs.flatMap(\.nics).map(\.address)
        #expect(!nics.contains(machine.functions[index].address.description))
        #expect(MachineTopology(machine).pairing.pairs.flatMap(\.accelerators).count == 8)
    }

    @Test
    func `a NIC of another kind does not take another NIC's place`() throws {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        // A faster NIC next to the first GPU.
        var other = try #require(machine.functions.first { $0.vendor == "15b3" })
        other.address.bus = 0x08
        other.device = "1021"
        machine.functions.append(other)
        #expect(!MachineTopology(machine).pairing.pairs.flatMap(\.nics).contains { $0.address == other.address.description })
    }

    @Test
    func `without a hierarchy devices are paired by their order, and the basis shows it`() {
        let machine = RandomMachine.flat(accelerators: 4, nics: 4)
        let pairing = MachineTopology(machine).pairing
        #expect(pairing.pairs.map(\.basis) == [.ordinal, .ordinal, .ordinal, .ordinal])
        #expect(pairing.pairs.map { $0.nics[0].address } == Fabric(machine).nics.map(\.address))
    }

    @Test
    func `accelerators without NICs stay unpaired`() {
        let pairing = MachineTopology(RandomMachine.flat(accelerators: 3, nics: 0)).pairing
        #expect(pairing.pairs.isEmpty)
        #expect(pairing.unpairedAccelerators.count == 3)
    }

    @Test
    func `shares are equal, and as many accelerators share as the number of NICs requires`() {
        for accelerators in 1...9 {
            for nics in 1...9 {
                let pairing = MachineTopology(RandomMachine.flat(accelerators: accelerators, nics: nics)).pairing
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
    func `the pairing does not depend on the order of the input`() {
        var random = SplitMix(seed: 7)
        for _ in 0..<50 {
            let machine = RandomMachine.tree(&random)
            var shuffled = machine
            shuffled.functions.shuffle(using: &random)
            #expect(PairsDocument(MachineTopology(machine)) == PairsDocument(MachineTopology(shuffled)))
        }
    }
}
