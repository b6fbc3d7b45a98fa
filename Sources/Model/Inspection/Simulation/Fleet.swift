// SPDX-License-Identifier: Apache-2.0

import Hardware
package import Primitives
package import Topology

/// The form in which claims request an accelerator and its NICs.
package enum RequestStrategy: String, Sendable, CaseIterable, Codable {
    /// Accelerators and NICs without a constraint.
    case unconstrained = "no constraint"
    /// `matchAttribute: resource.kubernetes.io/pcieRoot` for each accelerator and its NICs.
    case pcieRoot
    /// `matchAttribute: resource.kubernetes.io/numaNode` for each accelerator and its NICs.
    case numaNode
    /// `matchAttribute: dra.nearside/pair` for each accelerator and its NICs.
    case pair = "pair constraint"
    /// `deviceClassName: pair.nearside`, or a set with this number of pairs.
    case pairDevices = "pair devices"
}

/// A mix of claims: sizes with their weights.
package struct ClaimMix: Hashable, Sendable {
    /// One size of claims.
    package struct Part: Hashable, Sendable {
        package var accelerators: Int
        /// True for claims of accelerators without NICs, as for workloads on a single node.
        package var isAlone: Bool
        package var weight: Int
    }

    package var parts: [Part]

    /// Parses `1:50,2:25,8:10,1a:15`: sizes of claims with their weights; an `a` after the size means accelerators without NICs.
    package init(_ text: String) throws(InputError) {
        parts = []
        for piece in text.split(separator: ",") {
            let words = piece.split(separator: ":", omittingEmptySubsequences: false)
            let isAlone = words[0].hasSuffix("a")
            guard words.count <= 2, let size = Int(isAlone ? words[0].dropLast() : words[0]), (1...64).contains(size),
                let weight = words.count == 2 ? Int(words[1]) : 1, (1...1_000_000).contains(weight)
            else {
                throw InputError(
                    .malformed, "\"\(piece)\"", "not a size and weight such as 4:25 or 1a:10", advice: "sizes go from 1 to 64")
            }
            parts.append(Part(accelerators: size, isAlone: isAlone, weight: weight))
        }
        guard !parts.isEmpty else { throw InputError(.malformed, "\"\(text)\"", "a mix is a list such as 1:40,2:20,4:15,8:10,1a:15") }
    }
}

/// Simulated nodes of one machine type. Claims fill them until none fits; then random claims end and others follow.
///
/// Claims come in a random order that is equal in all runs. Each claim goes to the first node with room, and gets the devices that
/// kube-scheduler's allocator would select: for each request the first free device in published order that satisfies the constraints,
/// with backtracking. The allocator does not consider other claims.
package struct Fleet: Sendable {
    /// The outcome for the accelerators of the fleet.
    package struct Outcome: Hashable, Sendable, Codable {
        package var strategy: RequestStrategy
        package var claims: Int
        /// Number of accelerators of the fleet, which is the sum of the four counts.
        package var accelerators: Int
        /// Allocated with the nearest NICs of the machine.
        package var aligned: Int
        /// Allocated without NICs, as requested.
        package var alone: Int
        /// Allocated with farther NICs.
        package var misplaced: Int
        /// Free on nodes where no claim fits, or allocated without being requested.
        package var stranded: Int
        /// Predicted bandwidth as a share of the bandwidth when all pairs are allocated as a whole.
        package var bandwidth: Double

        /// Keys of `nearside simulate -o json`.
        private enum CodingKeys: String, CodingKey {
            case strategy = "wish"
            case claims, accelerators, aligned, alone, misplaced, stranded, bandwidth
        }

        package init(
            strategy: RequestStrategy, claims: Int, accelerators: Int, aligned: Int, alone: Int, misplaced: Int, stranded: Int,
            bandwidth: Double
        ) {
            self.strategy = strategy
            self.claims = claims
            self.accelerators = accelerators
            self.aligned = aligned
            self.alone = alone
            self.misplaced = misplaced
            self.stranded = stranded
            self.bandwidth = bandwidth
        }
    }

    private let topology: MachineTopology
    private let accelerators: [Device]
    private let nics: [Device]
    /// Number of accelerators and NICs of one pair.
    private let shape: (accelerators: Int, nics: Int)
    private let sets: [[Int]]
    private let whole: Double

    package init(_ topology: MachineTopology) throws(InputError) {
        self.topology = topology
        accelerators = topology.devices.filter { $0.kind == .accelerator && topology.pair(of: $0) != nil }
        nics = topology.fabric.nics
        let name = topology.machine.name ?? "this machine"
        guard !accelerators.isEmpty else { throw InputError(.unsupported, name, "no pairs to allocate") }
        guard accelerators.count <= 64, nics.count <= 64 else {
            throw InputError(
                .outOfBounds, name, "\(accelerators.count) accelerators and \(nics.count) fabric NICs",
                advice: "at most 64 of each can be simulated")
        }
        let pairs = topology.pairing.pairs
        shape = (pairs.map(\.accelerators.count).max() ?? 1, pairs.map(\.nics.count).min() ?? 1)
        sets =
            pairs.indices.map { [$0] }
            + topology.sets.sets.map { set in
                set.rails.compactMap { rail in pairs.firstIndex { $0.rail == rail } }
            }
        whole = Allocation(accelerators: accelerators, nics: pairs.flatMap(\.nics), of: topology).worth
    }

    /// Returns an error if some claim of a mix does not fit on an empty node.
    package func obstacle(to mix: ClaimMix) -> InputError? {
        guard let part = mix.parts.first(where: { $0.accelerators > accelerators.count }) else { return nil }
        return InputError(
            .unsupported, topology.machine.name ?? "this machine",
            "no node can hold a claim for \(part.accelerators) accelerators; it has \(accelerators.count)")
    }

    // MARK: One node

    private struct Node: Hashable {
        var accelerators: UInt64
        var nics: UInt64
    }

    private struct Grant: Hashable {
        var accelerators: UInt64 = 0
        var nics: UInt64 = 0
        var asked = 0
    }

    /// Returns devices by the value of the constraint's attribute, in published order.
    private func groups(_ strategy: RequestStrategy) -> [(accelerators: UInt64, nics: UInt64)] {
        func value(_ device: Device) -> String? {
            switch strategy {
            case .pcieRoot: device.function?.pcieRoot
            case .numaNode: device.numaNode.map(String.init)
            case .pair: topology.pair(of: device)?.name
            case .unconstrained, .pairDevices: ""
            }
        }
        var order: [String] = []
        var groups: [String: (accelerators: UInt64, nics: UInt64)] = [:]
        for (index, device) in accelerators.enumerated() {
            guard let value = value(device) else { continue }
            if groups[value] == nil { order.append(value) }
            groups[value, default: (0, 0)].accelerators |= 1 << UInt64(index)
        }
        for (index, device) in nics.enumerated() {
            guard let value = value(device) else { continue }
            if groups[value] == nil { order.append(value) }
            groups[value, default: (0, 0)].nics |= 1 << UInt64(index)
        }
        return order.compactMap { groups[$0] }
    }

    private static func first(_ count: Int, of mask: UInt64) -> UInt64? {
        var rest = mask
        var taken: UInt64 = 0
        for _ in 0..<count {
            guard rest != 0 else { return nil }
            taken |= rest & (~rest + 1)
            rest &= rest - 1
        }
        return taken
    }

    /// Returns the units of a claim: whole pairs, and the remainder.
    private func units(_ size: Int) -> [(accelerators: Int, nics: Int)] {
        var units = [(accelerators: Int, nics: Int)](repeating: shape, count: size / shape.accelerators)
        if size % shape.accelerators > 0 { units.append((size % shape.accelerators, shape.nics)) }
        return units
    }

    private func allocate(
        _ part: ClaimMix.Part, _ strategy: RequestStrategy, _ groups: [(accelerators: UInt64, nics: UInt64)], _ node: Node
    ) -> Grant? {
        let size = part.accelerators
        if part.isAlone { return Self.first(size, of: node.accelerators).map { Grant(accelerators: $0, nics: 0, asked: size) } }
        if strategy == .pairDevices { return allocatePairs(size, node) }
        let units = units(size)
        if strategy == .unconstrained {
            // Without a constraint: all accelerators in order, then all NICs in order.
            guard let some = Self.first(size, of: node.accelerators),
                let others = Self.first(units.map(\.nics).reduce(0, +), of: node.nics)
            else { return nil }
            return Grant(accelerators: some, nics: others, asked: size)
        }
        // Sets of free devices without a solution, by the number of placed units.
        var dead: Set<[UInt64]> = []
        func place(_ index: Int, _ node: Node, _ grant: Grant) -> Grant? {
            if index == units.count { return grant }
            let key = [UInt64(index), node.accelerators, node.nics]
            guard !dead.contains(key) else { return nil }
            for group in groups {
                guard let some = Self.first(units[index].accelerators, of: node.accelerators & group.accelerators),
                    let others = Self.first(units[index].nics, of: node.nics & group.nics)
                else { continue }
                let rest = Node(accelerators: node.accelerators & ~some, nics: node.nics & ~others)
                let more = Grant(accelerators: grant.accelerators | some, nics: grant.nics | others, asked: size)
                if let found = place(index + 1, rest, more) { return found }
            }
            dead.insert(key)
            return nil
        }
        return place(0, node, Grant())
    }

    /// Allocates a set of the requested size if there is one, otherwise pair by pair.
    private func allocatePairs(_ size: Int, _ node: Node) -> Grant? {
        let pairs = topology.pairing.pairs
        func grant(_ members: [Int]) -> Grant {
            var grant = Grant(asked: size)
            for member in members {
                for device in pairs[member].accelerators {
                    if let index = accelerators.firstIndex(where: { $0.address == device.address }) {
                        grant.accelerators |= 1 << UInt64(index)
                    }
                }
                for device in pairs[member].nics {
                    if let index = nics.firstIndex(where: { $0.address == device.address }) { grant.nics |= 1 << UInt64(index) }
                }
            }
            return grant
        }
        func isFree(_ grant: Grant) -> Bool {
            grant.accelerators & node.accelerators == grant.accelerators && grant.nics & node.nics == grant.nics
        }
        let count = (size + shape.accelerators - 1) / shape.accelerators
        let fitting = sets.filter { $0.count == count }.map(grant)
        if !fitting.isEmpty { return fitting.first(where: isFree) }
        let free = pairs.indices.filter { isFree(grant([$0])) }
        return free.count < count ? nil : grant(Array(free.prefix(count)))
    }

    // MARK: The fleet

    /// Allocations, and a cache of results for nodes.
    private struct State {
        var nodes: [Node]
        var claims: [(node: Int, grant: Grant)] = []
        /// Allocation of a claim of each size on a node with exactly these free devices.
        var known: [Node: [ClaimMix.Part: Grant?]] = [:]
    }

    /// Fills the nodes, and replaces claims.
    ///
    /// - Parameter turnover: average number of times that a place is freed and allocated again.
    package func fill(nodes count: Int, mix: ClaimMix, strategy: RequestStrategy, turnover: Int = 0, seed: UInt64) -> Outcome {
        let groups = groups(strategy)
        let full = Node(
            accelerators: accelerators.count == 64 ? .max : 1 << UInt64(accelerators.count) - 1,
            nics: nics.count == 64 ? .max : 1 << UInt64(nics.count) - 1)
        var state = State(nodes: [Node](repeating: full, count: count))
        var random = SplitMix(seed: seed)
        func grant(_ part: ClaimMix.Part, on node: Int) -> Grant? {
            let free = state.nodes[node]
            if let remembered = state.known[free]?[part] { return remembered }
            let grant = allocate(part, strategy, groups, free)
            state.known[free, default: [:]][part] = .some(grant)
            return grant
        }
        /// Allocates claims until none fits on any of some nodes.
        func fill(_ range: Range<Int>) {
            var parts = mix.parts
            // The first node that may have room for a claim of a size, because room only shrinks.
            var next: [ClaimMix.Part: Int] = [:]
            while !parts.isEmpty {
                let part = ClaimMix.pick(parts, &random)
                var index = next[part] ?? range.lowerBound
                var found: Grant?
                while index < range.upperBound {
                    found = grant(part, on: index)
                    if found != nil { break }
                    index += 1
                }
                next[part] = index
                guard let found else {
                    parts.removeAll { $0 == part }
                    continue
                }
                state.nodes[index].accelerators &= ~found.accelerators
                state.nodes[index].nics &= ~found.nics
                state.claims.append((index, found))
            }
        }
        fill(0..<count)
        for _ in 0..<turnover * state.claims.count where !state.claims.isEmpty {
            let ended = state.claims.swapRemove(at: Int.random(in: state.claims.indices, using: &random))
            state.nodes[ended.node].accelerators |= ended.grant.accelerators
            state.nodes[ended.node].nics |= ended.grant.nics
            // No claim fitted before, so that only this node can have room now.
            fill(ended.node..<ended.node + 1)
        }
        return outcome(strategy, state, count)
    }

    private func outcome(_ strategy: RequestStrategy, _ state: State, _ count: Int) -> Outcome {
        var grants: [Grant: Int] = [:]
        for claim in state.claims { grants[claim.grant, default: 0] += 1 }
        var outcome = Outcome(
            strategy: strategy, claims: state.claims.count, accelerators: count * accelerators.count, aligned: 0, alone: 0, misplaced: 0,
            stranded: 0, bandwidth: 0)
        for (grant, times) in grants {
            guard grant.nics != 0 else {
                outcome.alone += grant.asked * times
                continue
            }
            let allocation = Allocation(
                accelerators: accelerators.indices.filter { grant.accelerators & 1 << UInt64($0) != 0 }.map { accelerators[$0] },
                nics: nics.indices.filter { grant.nics & 1 << UInt64($0) != 0 }.map { nics[$0] }, of: topology)
            let aligned = min(allocation.aligned, grant.asked)
            outcome.aligned += aligned * times
            outcome.misplaced += (grant.asked - aligned) * times
            outcome.bandwidth += allocation.worth * Double(times)
        }
        outcome.stranded = outcome.accelerators - outcome.aligned - outcome.alone - outcome.misplaced
        outcome.bandwidth /= whole * Double(count)
        return outcome
    }
}

extension Array {
    /// Removes an element in constant time by replacing it with the last one.
    fileprivate mutating func swapRemove(at index: Int) -> Element {
        swapAt(index, count - 1)
        return removeLast()
    }
}

extension ClaimMix {
    fileprivate static func pick(_ parts: [Part], _ random: inout SplitMix) -> Part {
        var number = Int.random(in: 0..<parts.map(\.weight).reduce(0, +), using: &random)
        for part in parts {
            number -= part.weight
            if number < 0 { return part }
        }
        return parts[parts.count - 1]
    }
}
