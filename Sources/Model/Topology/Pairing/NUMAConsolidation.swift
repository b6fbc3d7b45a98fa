// SPDX-License-Identifier: Apache-2.0

/// Reduces the number of groups that span NUMA nodes, without a cost in distance.
///
/// The number of mixed groups is not a sum over edges, so that the assignment cannot minimise it. This local search visits solutions of
/// equal distance in steps of one or two exchanges.
struct NUMAConsolidation {
    /// Members of the more numerous side, by group.
    private(set) var groups: [[Int]]
    /// Members without a group.
    private var rest: [Int]
    /// Allowed number of members of a group.
    let sizes: ClosedRange<Int>
    /// NUMA nodes of the groups' owners, the less numerous side.
    let owners: [Int?]
    /// NUMA nodes of the members.
    let members: [Int?]
    /// Distance of a member in a group; nil if it is not allowed there.
    let distance: (Int, Int) -> Int128?
    /// 1 for a member in another group than in the earlier solution; otherwise 0.
    let moves: (Int, Int) -> Int

    init(
        groups: [[Int]], rest: [Int], sizes: ClosedRange<Int>, owners: [Int?], members: [Int?],
        distance: @escaping (Int, Int) -> Int128?, moves: @escaping (Int, Int) -> Int
    ) {
        self.groups = groups
        self.rest = rest
        self.sizes = sizes
        self.owners = owners
        self.members = members
        self.distance = distance
        self.moves = moves
    }

    /// An exchange between two groups: of two members, or of a member and a free place. The index after the last group is ``rest``.
    private struct Exchange {
        var from: Int
        var member: Int
        var to: Int
        /// The other member; nil for a free place.
        var other: Int?
        /// Change of the distance and of the number of moved members.
        var change: Int128
        var moves: Int
    }

    private func isMixed(_ group: Int, _ some: [Int]) -> Bool { some.contains { members[$0] != owners[group] } }

    private func mixed(_ group: Int) -> Int { group < groups.count && isMixed(group, groups[group]) ? 1 : 0 }

    private func list(_ group: Int) -> [Int] { group < groups.count ? groups[group] : rest }

    private mutating func apply(_ exchange: Exchange) {
        func replaced(_ list: [Int], _ member: Int, by other: Int?) -> [Int] { list.filter { $0 != member } + (other.map { [$0] } ?? []) }
        let from = replaced(list(exchange.from), exchange.member, by: exchange.other)
        let to = (exchange.other.map { other in list(exchange.to).filter { $0 != other } } ?? list(exchange.to)) + [exchange.member]
        if exchange.from < groups.count { groups[exchange.from] = from } else { rest = from }
        if exchange.to < groups.count { groups[exchange.to] = to } else { rest = to }
    }

    private func place(_ member: Int, in group: Int) -> (distance: Int128, moves: Int)? {
        group < groups.count ? distance(group, member).map { ($0, moves(group, member)) } : (0, 0)
    }

    /// Returns every allowed exchange with an end in one of some groups.
    private func exchanges(around some: Set<Int>) -> [Exchange] {
        var found: [Exchange] = []
        for from in 0...groups.count {
            for to in 0...groups.count where to != from && (some.contains(from) || some.contains(to)) {
                for member in list(from) {
                    guard let now = place(member, in: from), let then = place(member, in: to) else { continue }
                    if to < groups.count, from < groups.count, list(from).count > sizes.lowerBound, list(to).count < sizes.upperBound {
                        found.append(
                            Exchange(
                                from: from, member: member, to: to, other: nil, change: then.distance - now.distance,
                                moves: then.moves - now.moves))
                    }
                    guard from < to else { continue }
                    for other in list(to) {
                        guard let otherNow = place(other, in: to), let otherThen = place(other, in: from) else { continue }
                        found.append(
                            Exchange(
                                from: from, member: member, to: to, other: other,
                                change: then.distance - now.distance + otherThen.distance - otherNow.distance,
                                moves: then.moves - now.moves + otherThen.moves - otherNow.moves))
                    }
                }
            }
        }
        return found
    }

    /// Applies exchanges, one or two at a time, while they reduce the number of mixed groups at the same cost.
    mutating func improve() {
        // Larger machines with mixed groups are skipped: the search would take too long.
        while members.count <= 64 {
            let mixedGroups = groups.indices.filter { mixed($0) > 0 }
            guard !mixedGroups.isEmpty, step(Set(mixedGroups)) else { return }
        }
    }

    /// Applies the step that leaves fewer mixed groups and moves the fewest members; returns false if there is none.
    private mutating func step(_ some: Set<Int>) -> Bool {
        let now = count
        var best: (state: NUMAConsolidation, moves: Int)?
        func consider(_ state: NUMAConsolidation, _ moves: Int) {
            if state.count < now, best.map({ moves < $0.moves }) ?? true { best = (state, moves) }
        }
        let firsts = exchanges(around: some)
        for first in firsts where first.change == 0 {
            var changed = self
            changed.apply(first)
            consider(changed, first.moves)
        }
        // Pairs of exchanges are tried on machines up to the largest size on the market; on larger ones they would take seconds.
        for first in firsts where members.count <= 16 && (best == nil || earlierMatters) {
            var changed = self
            changed.apply(first)
            for second in changed.exchanges(around: [first.from, first.to]) where first.change + second.change == 0 {
                var twice = changed
                twice.apply(second)
                consider(twice, first.moves + second.moves)
            }
        }
        guard let best else { return false }
        self = best.state
        return true
    }

    private var count: Int { groups.indices.map(mixed).reduce(0, +) }

    /// True if there is an earlier solution, so that the number of moves counts.
    private var earlierMatters: Bool { groups.indices.contains { group in groups[group].contains { moves(group, $0) != 0 } } }
}
