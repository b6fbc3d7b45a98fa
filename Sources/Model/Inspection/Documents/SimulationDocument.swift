// SPDX-License-Identifier: Apache-2.0

package import Primitives
package import Topology

/// The document of `nearside simulate -o json`, a stable interface (`api/inspection.md`).
package struct SimulationDocument: Sendable, Codable {
    /// The outcomes of one machine type, one for each strategy.
    package struct Entry: Sendable, Codable {
        package var machine: String
        package var outcomes: [Fleet.Outcome]
    }

    package var nodes: Int
    package var turnover: Int
    package var machines: [Entry]

    /// Simulates the nodes of each machine type with each strategy.
    package init(_ topologies: [(name: String, topology: MachineTopology)], nodes: Int, mix: ClaimMix, turnover: Int, seed: UInt64)
        throws(InputError)
    {
        self.nodes = nodes
        self.turnover = turnover
        machines = []
        for (name, topology) in topologies {
            let fleet = try Fleet(topology)
            // With several machine types, some are too small for some claims.
            if topologies.count == 1, let obstacle = fleet.obstacle(to: mix) { throw obstacle }
            machines.append(
                Entry(
                    machine: name,
                    outcomes: RequestStrategy.allCases.map {
                        fleet.fill(nodes: nodes, mix: mix, strategy: $0, turnover: turnover, seed: seed)
                    }))
        }
    }

    package var text: String {
        var text = ""
        for entry in machines {
            var table = TextTable(["ASKED WITH", "CLAIMS", "ALIGNED", "ALONE", "MISPLACED", "STRANDED", "BANDWIDTH"])
            for outcome in entry.outcomes {
                table.add([
                    outcome.strategy.rawValue, String(outcome.claims), percent(outcome.aligned, outcome), percent(outcome.alone, outcome),
                    percent(outcome.misplaced, outcome),
                    percent(outcome.stranded, outcome), "\(Int((outcome.bandwidth * 100).rounded()))%",
                ])
            }
            text +=
                (machines.count > 1 ? "\(entry.machine), " : "")
                + "\(nodes) nodes, \(entry.outcomes.first?.accelerators ?? 0) accelerators\n" + table.text + "\n"
        }
        if machines.count > 1 {
            var table = TextTable(["ALL MACHINES", "ALIGNED", "ALONE", "MISPLACED", "STRANDED", "BANDWIDTH"])
            for outcome in mean {
                table.add([
                    outcome.strategy.rawValue, percent(outcome.aligned, outcome), percent(outcome.alone, outcome),
                    percent(outcome.misplaced, outcome),
                    percent(outcome.stranded, outcome), "\(Int((outcome.bandwidth * 100).rounded()))%",
                ])
            }
            text += table.text
        }
        return text
    }

    /// Outcomes over all machines: sums of accelerators, and the mean bandwidth by accelerator.
    package var mean: [Fleet.Outcome] {
        RequestStrategy.allCases.map { strategy in
            let all = machines.flatMap(\.outcomes).filter { $0.strategy == strategy }
            let accelerators = all.map(\.accelerators).reduce(0, +)
            return Fleet.Outcome(
                strategy: strategy, claims: all.map(\.claims).reduce(0, +), accelerators: accelerators,
                aligned: all.map(\.aligned).reduce(0, +), alone: all.map(\.alone).reduce(0, +),
                misplaced: all.map(\.misplaced).reduce(0, +),
                stranded: all.map(\.stranded).reduce(0, +),
                bandwidth: all.reduce(0) { $0 + $1.bandwidth * Double($1.accelerators) } / Double(max(1, accelerators)))
        }
    }

    private func percent(_ part: Int, _ outcome: Fleet.Outcome) -> String {
        "\(Int((Double(part) / Double(max(1, outcome.accelerators)) * 100).rounded()))%"
    }
}
