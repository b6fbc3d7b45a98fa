// SPDX-License-Identifier: Apache-2.0

/// Makes groups of one NUMA node out of mixed ones, where that costs no distance.
///
/// How many groups are mixed is no sum over edges, so the assignment itself cannot tell. Of the solutions it
/// found equally good, this takes one with fewer mixed groups, by steps of one or two exchanges.
struct NUMAConsolidation {
    /// Members of the more numerous side, by group.
    private(set) var groups: [[Int]]
    /// Those that are in no group.
    private var rest: [Int]
    /// How many members a group may have.
    let sizes: ClosedRange<Int>
    /// NUMA nodes of the groups' own members, and of the others.
    let owners: [Int?]
    let members: [Int?]
    /// The distance of a member in a group; nil where it may not be.
    let distance: (Int, Int) -> Int128?
    /// 1 for a member in a group that it was not in before, if there was a before.
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

    /// Two members, or a member and a free place, of two groups; a group that is not there is the rest.
    private struct Exchange {
        var from: Int
        var member: Int
        var to: Int
        /// Nil for a free place.
        var other: Int?
        /// How much farther it is, and how many more have moved.
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

    /// Every exchange that is allowed and has an end in one of some groups.
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

    /// Exchanges as long as one, or two together, leave fewer groups mixed at the same cost.
    mutating func improve() {
        // A machine so large and so mixed is left as it is: it would be looked at for too long.
        while members.count <= 64 {
            let mixedGroups = groups.indices.filter { mixed($0) > 0 }
            guard !mixedGroups.isEmpty, step(Set(mixedGroups)) else { return }
        }
    }

    /// The step that leaves fewer groups mixed and moves the fewest; false when there is none.
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
        // Two at a time are tried on machines of a size that is sold: more would take seconds.
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

    /// Whether there was a before, so that how many move makes a difference.
    private var earlierMatters: Bool { groups.indices.contains { group in groups[group].contains { moves(group, $0) != 0 } } }
}
