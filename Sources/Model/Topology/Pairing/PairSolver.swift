// SPDX-License-Identifier: Apache-2.0

/// A group of accelerators and NICs, by their indices.
package struct PairGroup: Hashable, Sendable {
    package var accelerators: [Int]
    package var nics: [Int]
}

/// The assignment of NICs to accelerators, over plain numbers.
///
/// With at least as many NICs as accelerators, each accelerator gets an equal share of NICs; otherwise each NIC an equal share of
/// accelerators. Of all such assignments, the solver takes the one with, in this order,
/// 1. the least worst distance,
/// 2. the least sum of distances, part by part,
/// 3. the fewest groups over several NUMA nodes (``NUMAConsolidation``: by exchanges, where the sum leaves a choice),
/// 4. the most edges of an earlier solution kept,
/// 5. the least squared displacement between the two orders, so that equal devices stay in order and together.
/// The solution is exact in all criteria that are sums.
package struct PairSolver {
    /// The solution before a part of the machine was lost.
    package struct Earlier {
        /// Positions of the accelerators in the earlier order.
        package var acceleratorPlaces: [Int]
        package var nicPlaces: [Int]
        package var acceleratorCount: Int
        package var nicCount: Int
        package var isKept: (Int, Int) -> Bool
        /// Limits for the new solution: the largest number of NICs of an accelerator, and the worst distance.
        package var share: Int
        package var worst: Distance?
    }

    /// Distances of accelerators (rows) to NICs, both in the machine's own order.
    private let distances: [[Distance]]
    private let earlier: Earlier?
    private let nodes: (accelerators: [Int?], nics: [Int?])?
    private let accelerators: Int
    private let nics: Int

    /// - Parameters:
    ///   - distances: distance of each accelerator to each NIC; there has to be at least one of each.
    ///   - nodes: NUMA nodes of both, if groups should be on one node where possible.
    package init(
        _ distances: [[Distance]], nodes: (accelerators: [Int?], nics: [Int?])? = nil, earlier: Earlier? = nil
    ) {
        self.distances = distances
        self.nodes = nodes
        self.earlier = earlier
        accelerators = distances.count
        nics = distances.first?.count ?? 0
    }

    private func acceleratorPlace(_ index: Int) -> Int { earlier?.acceleratorPlaces[index] ?? index }
    private func nicPlace(_ index: Int) -> Int { earlier?.nicPlaces[index] ?? index }
    private var acceleratorCount: Int { earlier?.acceleratorCount ?? accelerators }
    private var nicCount: Int { earlier?.nicCount ?? nics }

    /// Solves the assignment: one group for each accelerator, or for each NIC if there are more accelerators than NICs.
    package func groups() -> [PairGroup] {
        guard accelerators > 0, nics > 0 else { return [] }
        return accelerators <= nics ? shareNICs() : shareAccelerators()
    }

    private func rank(_ accelerator: Int, _ nic: Int) -> Int { distances[accelerator][nic].rank }

    /// Returns the cost of an edge: the most important part first, each with 10 bits of room for the sum.
    private func cost(_ accelerator: Int, _ nic: Int, displacement: Int) -> Int128 {
        let cost = distanceCost(distances[accelerator][nic]) << 11 | Int128(moves(accelerator, nic))
        return cost << 34 | Int128(displacement * displacement)
    }

    /// Returns 1 for an edge that the earlier solution did not have.
    private func moves(_ accelerator: Int, _ nic: Int) -> Int { earlier.map { $0.isKept(accelerator, nic) ? 0 : 1 } ?? 0 }

    private func distanceCost(_ distance: Distance) -> Int128 {
        (Int128(distance.pathClass.rawValue) << 18 | Int128(distance.numa)) << 22 | Int128(distance.narrowness)
    }

    /// Cost of an empty optional place: more than any sum of ``cost(_:_:displacement:)``.
    private static let surcharge: Int128 = 1 << 100

    /// Returns the difference between relative positions in two orders of different length, 4096 for the whole length.
    private static func displacement(_ left: Int, of leftCount: Int, _ right: Int, of rightCount: Int) -> Int {
        min(4095, abs(left * 4096 / max(1, leftCount) - right * 4096 / max(1, rightCount)))
    }

    // MARK: At least as many NICs as accelerators

    private func shareNICs() -> [PairGroup] {
        // Each accelerator gets more NICs only if all of them are on its NUMA node, unless even the nearest one is not.
        let nearest = Bottleneck.least(left: accelerators, capacity: 1, right: nics, cost: rank)
        var share = nics / accelerators
        var bound = nearest
        while share > 1 {
            bound = Bottleneck.least(left: accelerators, capacity: share, right: nics, cost: rank)
            if bound >> 20 <= max(nearest >> 20, PathClass.node.rawValue) { break }
            share -= 1
        }
        if share == 1 { bound = nearest }
        // Accelerators that are near get the remainder of the division, at most one NIC each. If NICs are missing, each accelerator keeps
        // its former ones.
        let isVisible = bound >> 20 <= PathClass.phb.rawValue && distances.contains { $0.contains { $0.rank != bound } }
        let optional = max(isVisible && nics > share * accelerators ? 1 : 0, (earlier?.share ?? 0) - share)
        let limit = optional > 0 ? max(bound, earlier?.worst?.rank ?? 0) : bound
        let places = share + optional
        let mandatory = accelerators * share
        let rows = accelerators * places
        func owner(_ row: Int) -> Int { row < mandatory ? row / share : (row - mandatory) / optional }
        func place(_ row: Int) -> Int { row < mandatory ? row % share : share + (row - mandatory) % optional }
        let fullShare = max(1, nicCount / max(1, acceleratorCount))
        let table = AssignmentTable(rows: rows, columns: nics + accelerators * optional) { row, column in
            // An optional place may stay empty.
            guard column < nics else { return row < mandatory ? AssignmentTable.forbidden : Self.surcharge }
            let accelerator = owner(row)
            let rank = rank(accelerator, column)
            if rank > (row < mandatory ? bound : limit) { return AssignmentTable.forbidden }
            let displacement = Self.displacement(
                acceleratorPlace(accelerator) * fullShare + min(place(row), fullShare - 1), of: acceleratorCount * fullShare,
                nicPlace(column), of: nicCount)
            return cost(accelerator, column, displacement: displacement)
        }
        var shares = [[Int]](repeating: [], count: accelerators)
        for (row, column) in table.solve().enumerated() where column < nics { shares[owner(row)].append(column) }
        shares = whole(shares, of: nics, sizes: share...share + optional, nodes?.accelerators, nodes?.nics) { accelerator, nic in
            // Farther members had the same distance in the earlier solution, and keep their places.
            rank(accelerator, nic) <= bound ? distanceCost(distances[accelerator][nic]) : nil
        } moves: {
            moves($0, $1)
        }
        return shares.enumerated().map { PairGroup(accelerators: [$0], nics: $1.sorted()) }
    }

    /// Returns groups on one NUMA node each, as far as distances allow.
    private func whole(
        _ groups: [[Int]], of count: Int, sizes: ClosedRange<Int>, _ owners: [Int?]?, _ members: [Int?]?,
        distance: @escaping (Int, Int) -> Int128?, moves: @escaping (Int, Int) -> Int
    ) -> [[Int]] {
        guard let owners, let members else { return groups }
        let placed = Set(groups.joined())
        var wholeness = NUMAConsolidation(
            groups: groups, rest: (0..<count).filter { !placed.contains($0) }, sizes: sizes, owners: owners, members: members,
            distance: distance, moves: moves)
        wholeness.improve()
        return wholeness.groups
    }

    // MARK: More accelerators than NICs

    /// Assigns accelerators to NICs. Each NIC has as many places as its share, plus one if the division has a remainder; a surcharge on
    /// that place limits its use to the remainder.
    private func shareAccelerators() -> [PairGroup] {
        let share = accelerators / nics
        let mandatory = share * nics
        let places = mandatory + (accelerators % nics == 0 ? 0 : nics)
        func nic(_ column: Int) -> Int { column < mandatory ? column / share : column - mandatory }
        // Each accelerator gets a place, and each mandatory place an accelerator: if each condition can be met alone, both can be met
        // together (Mendelsohn and Dulmage 1958).
        let bound = max(
            Bottleneck.least(left: accelerators, capacity: 1, right: places) { rank($0, nic($1)) },
            Bottleneck.least(left: nics, capacity: share, right: accelerators) { rank($1, $0) })
        let table = AssignmentTable(rows: accelerators, columns: places) { row, column in
            if rank(row, nic(column)) > bound { return AssignmentTable.forbidden }
            let displacement = Self.displacement(
                acceleratorPlace(row), of: acceleratorCount,
                nicPlace(nic(column)) * acceleratorCount / max(1, nicCount) + (column < mandatory ? column % share : share - 1),
                of: acceleratorCount)
            return cost(row, nic(column), displacement: displacement) + (column < mandatory ? 0 : Self.surcharge)
        }
        var shares = [[Int]](repeating: [], count: nics)
        for (row, column) in table.solve().enumerated() { shares[nic(column)].append(row) }
        let sizes = share...(accelerators % nics == 0 ? share : share + 1)
        shares = whole(shares, of: accelerators, sizes: sizes, nodes?.nics, nodes?.accelerators) { nic, accelerator in
            rank(accelerator, nic) <= bound ? distanceCost(distances[accelerator][nic]) : nil
        } moves: {
            moves($1, $0)
        }
        return shares.enumerated().map { PairGroup(accelerators: $1.sorted(), nics: [$0]) }.sorted {
            ($0.accelerators.first ?? .max) < ($1.accelerators.first ?? .max)
        }
    }
}
