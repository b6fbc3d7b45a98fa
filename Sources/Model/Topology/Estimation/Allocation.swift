// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// The quality of an allocation: the distances between its accelerators and NICs, and its predicted bandwidth.
package struct Allocation: Sendable {
    /// The best pairing of these devices alone.
    package let pairing: Pairing
    /// Number of accelerators whose NICs are as near as in the machine's own pairing.
    package let aligned: Int
    /// Total Gb/s; nil if a rate is unknown.
    package let gbps: Double?
    /// Total Gb/s for comparison: a port of unknown rate counts as 100 Gb/s.
    package let worth: Double

    package init(accelerators: [Device], nics: [Device], of topology: MachineTopology) {
        pairing = Pairing(accelerators: accelerators, nics: nics, distances: topology.distances, hint: topology.hint)
        let rates = pairing.pairs.map(\.gbps)
        gbps = rates.contains { $0 == nil } ? nil : rates.compactMap { $0 }.reduce(0, +)
        let devices = Dictionary(accelerators.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        worth = pairing.pairs.reduce(0) { sum, pair in
            sum
                + (pair.gbps
                    ?? pair.nics.reduce(0) { sum, nic in
                        let shares = pair.links.filter { $0.nic == nic.address }
                            .compactMap { link in devices[link.accelerator].map { Bandwidth.share(link.path, of: $0) } }
                        return sum + 100 * (shares.min() ?? 0)
                    })
        }
        aligned = pairing.pairs.reduce(0) { count, pair in
            count
                + pair.accelerators.count { accelerator in
                    guard let own = topology.pair(of: accelerator) else { return false }
                    func worst(_ pair: Pair) -> PathClass? {
                        pair.links.filter { $0.accelerator == accelerator.address }.map(\.path.pathClass).max()
                    }
                    guard let given = worst(pair), let best = worst(own) else { return false }
                    return given <= best
                }
        }
    }

    /// Returns the best allocation of the same numbers of devices on an empty machine: whole pairs in the order of rails, with an equal
    /// number of NICs each.
    package static func best(accelerators: Int, nics: Int, of topology: MachineTopology) -> Allocation {
        let pairs = topology.pairing.pairs.sorted { ($0.gbps ?? 0, -$0.rail) > ($1.gbps ?? 0, -$1.rail) }
        var chosen: [Device] = []
        var used: [Pair] = []
        // With fewer accelerators than a pair has, one of each pair, so that they do not share NICs.
        let size = pairs.map(\.accelerators.count).max() ?? 1
        let spreads = nics >= accelerators
        if spreads {
            for round in 0..<size {
                for pair in pairs where chosen.count < accelerators && round < pair.accelerators.count {
                    chosen.append(pair.accelerators[round])
                    if round == 0 { used.append(pair) }
                }
            }
        } else {
            for pair in pairs where chosen.count < accelerators {
                chosen += pair.accelerators.prefix(accelerators - chosen.count)
                used.append(pair)
            }
        }
        var partners: [Device] = []
        var round = 0
        let deepest = used.map(\.nics.count).max() ?? 0
        while partners.count < nics, round < deepest {
            for pair in used where round < pair.nics.count && partners.count < nics { partners.append(pair.nics[round]) }
            round += 1
        }
        let taken = Set(partners.map(\.address))
        let rest = topology.fabric.nics.filter { !taken.contains($0.address) }
        partners += rest.prefix(max(0, nics - partners.count))
        return Allocation(accelerators: chosen, nics: partners, of: topology)
    }
}
