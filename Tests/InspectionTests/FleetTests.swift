// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Primitives
import Testing
import Topology

struct FleetTests {
    private func fleet(_ name: String) throws -> Fleet {
        try Fleet(MachineTopology(try #require(try MachineDescription.embedded(name)).machine))
    }

    private func fill(_ name: String, _ mix: String, _ strategy: RequestStrategy, turnover: Int = 0, nodes: Int = 10) throws
        -> Fleet.Outcome
    {
        try fleet(name).fill(nodes: nodes, mix: try ClaimMix(mix), strategy: strategy, turnover: turnover, seed: 1)
    }

    @Test
    func `a claim for one accelerator of a p4d takes the NIC of the other one`() throws {
        for strategy in [RequestStrategy.unconstrained, .pcieRoot, .numaNode, .pair, .pairDevices] {
            let outcome = try fill("aws-p4d", "1", strategy)
            #expect(outcome.claims == 40, "\(strategy)")
            #expect(outcome.aligned + outcome.misplaced == 40 && outcome.stranded == 40)
        }
        // First fit takes accelerators 1 to 4, so that the second and fourth get NICs of other roots.
        let chance = try fill("aws-p4d", "1", .unconstrained)
        #expect(chance.aligned == 10 && chance.misplaced == 30)
        #expect(try fill("aws-p4d", "1", .pcieRoot).aligned == 40)
        #expect(try fill("aws-p4d", "1", .pair).aligned == 40)
    }

    @Test
    func `pcieRoot matches nothing if accelerators and NICs have no common root, and pairs do`() throws {
        for name in ["azure-nd-a100-v4", "azure-nd-mi300x", "mi355x", "azure-nd-gb300"] {
            let root = try fill(name, "1,2,4", .pcieRoot)
            #expect(root.claims == 0 && root.stranded == root.accelerators, "\(name)")
            let pair = try fill(name, "1,2,4", .pair)
            #expect(pair.aligned == pair.accelerators && pair.bandwidth > 0.99, "\(name)")
        }
        #expect(try fill("azure-nd-a100-v4", "1,2,4", .numaNode).aligned == 80)
        #expect(try fill("azure-nd-gb300", "1,2,4", .numaNode).claims == 0)
    }

    @Test
    func `half of the NICs of a p6e-gb200 are on roots without accelerators`() throws {
        // A root with two NICs cannot provide four NICs for each accelerator.
        #expect(try fill("aws-p6e-gb200", "1", .pcieRoot).claims == 0)
        #expect(try fill("aws-p6e-gb200", "1", .pair).aligned == 40)
    }

    @Test
    func `all accelerators are accounted for, and whole pairs are always aligned`() throws {
        for name in MachineDescription.embeddedNames {
            guard let fleet = try? fleet(name) else { continue }
            for strategy in RequestStrategy.allCases {
                let outcome = fleet.fill(
                    nodes: 20, mix: try ClaimMix("1:40,2:20,4:15,8:10,1a:15"), strategy: strategy, turnover: 3, seed: 7)
                #expect(outcome.aligned + outcome.alone + outcome.misplaced + outcome.stranded == outcome.accelerators, "\(name)")
                #expect([outcome.aligned, outcome.alone, outcome.misplaced, outcome.stranded].allSatisfy { $0 >= 0 }, "\(name)")
                #expect(outcome.bandwidth <= 1.0001, "\(name) \(strategy)")
                if strategy == .pair || strategy == .pairDevices { #expect(outcome.misplaced == 0, "\(name) \(strategy)") }
            }
        }
    }

    @Test
    func `an equal seed gives an equal result, and another seed another order`() throws {
        let mix = "1:3,2:2,4:1,1a:2"
        #expect(try fill("aws-p4d", mix, .unconstrained, turnover: 5) == fill("aws-p4d", mix, .unconstrained, turnover: 5))
        let fleet = try fleet("aws-p4d")
        let outcomes = try (1...5).map { seed in
            fleet.fill(nodes: 10, mix: try ClaimMix(mix), strategy: .unconstrained, turnover: 5, seed: UInt64(seed))
        }
        #expect(Set(outcomes).count > 1)
    }

    @Test
    func `five thousand nodes are filled with whole pairs within half a minute`() throws {
        let start = ContinuousClock.now
        let outcome = try fill("aws-p5", "1:50,2:25,4:15,8:10", .pair, nodes: 5000)
        #expect(outcome.aligned == 40_000)
        #expect(ContinuousClock.now - start < .seconds(30))
    }

    @Test
    func `machines without pairs give an error`() throws {
        let error = #expect(throws: InputError.self) { try fleet("dgx-2") }
        #expect(error?.code == .unsupported && error?.object == "DGX-2")
    }

    @Test(arguments: ["", "x", "0", "65", "1:0", "1:x", "1:2:3", "-1", "a", "1b"])
    func `a malformed mix of claims is refused`(text: String) {
        #expect(throws: InputError.self) { try ClaimMix(text) }
    }
}
