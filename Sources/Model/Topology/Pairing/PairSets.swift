// SPDX-License-Identifier: Apache-2.0

import Hardware

/// A set of 2, 4, 8 ... pairs that are near each other.
package struct PairSet: Hashable, Sendable {
    /// Rails of the pairs, ascending.
    package var rails: [Int]
    package var name: String

    /// Names the set by its size and number: `pairs-4-0`.
    init(_ rails: [Int], number: Int) {
        self.rails = rails.sorted()
        name = "pairs-\(rails.count)-\(number)"
    }
}

/// The sets of a machine, built in halves: two pairs are a set of two, and two such sets a set of four. The allocation of a set therefore
/// never fragments another set, and near pairs stay together.
///
/// The criteria, in this order: direct links between accelerators (XGMI, NeuronLink) if not all have them; the path between the
/// accelerators; the path between the NICs; the order of rails. The sum is minimal at each size (exact up to 16 members, above by rails).
package struct PairSets: Sendable {
    /// Sets from the smallest size to the largest.
    package let sets: [PairSet]

    package init(_ pairs: [Pair], distances: Distances) {
        var sets: [PairSet] = []
        var units = pairs.sorted { $0.rail < $1.rail }.map { [$0] }
        while units.count > 1 {
            let count = units.count
            var halves = Self.inOrder(count)
            if count <= Self.mostExact {
                var costs = [Int](repeating: 0, count: count * count)
                for left in 0..<count {
                    for right in (left + 1)..<count {
                        // Equally near units stay in order.
                        costs[left * count + right] = Self.cost(units[left], units[right], distances) << 12 + (right - left)
                    }
                }
                halves = Self.matching(count) { costs[$0 * count + $1] }
            }
            units = halves.map { (units[$0.0] + units[$0.1]).sorted { $0.rail < $1.rail } }
                .sorted { ($0.first?.rail ?? 0) < ($1.first?.rail ?? 0) }
            sets += units.enumerated().map { PairSet($1.map(\.rail), number: $0) }
        }
        self.sets = sets
    }

    /// Number of members above which the exact matching would take too long.
    private static let mostExact = 16

    private static func cost(_ left: [Pair], _ right: [Pair], _ distances: Distances) -> Int {
        let (ones, others) = (left.flatMap(\.accelerators), right.flatMap(\.accelerators))
        let linked = ones.reduce(0) { sum, one in sum + others.count { areLinked(one, $0) } }
        func sum(_ rows: [Device], _ columns: [Device]) -> Int {
            distances.paths(rows, columns).reduce(0) { $1.reduce($0) { $0 + $1.pathClass.rawValue } }
        }
        let accelerators = sum(ones, others)
        let nics = sum(left.compactMap(\.nics.first), right.compactMap(\.nics.first))
        // Each part of the cost has room for the sum over eight sets of 16 accelerators of the worst class.
        return (4095 - min(linked, 4095)) << 32 | accelerators << 16 | nics
    }

    private static func areLinked(_ left: Device, _ right: Device) -> Bool {
        guard let first = left.function, let second = right.function else { return false }
        if let hive = first.accelerator?.hive, hive == second.accelerator?.hive { return true }
        return first.accelerator?.neighbours.contains(second.address) == true
            || second.accelerator?.neighbours.contains(first.address) == true
    }

    private static func inOrder(_ count: Int) -> [(Int, Int)] { (0..<count / 2).map { ($0 * 2, $0 * 2 + 1) } }

    /// Returns the perfect matching of least cost, by dynamic programming over the matched subset. One member of an odd number stays
    /// unmatched.
    private static func matching(_ count: Int, _ cost: (Int, Int) -> Int) -> [(Int, Int)] {
        let full = 1 << count
        var best = [Int](repeating: .max, count: full)
        var last = [(Int, Int)](repeating: (-1, -1), count: full)
        best[0] = 0
        for mask in 0..<full where best[mask] != .max {
            guard let first = (0..<count).first(where: { mask & 1 << $0 == 0 }) else { continue }
            if count % 2 == 1, mask.nonzeroBitCount % 2 == 0, best[mask] < best[mask | 1 << first] {
                // The unmatched member.
                best[mask | 1 << first] = best[mask]
                last[mask | 1 << first] = (first, first)
            }
            for second in stride(from: first + 1, to: count, by: 1) where mask & 1 << second == 0 {
                let next = mask | 1 << first | 1 << second
                let sum = best[mask] + cost(first, second)
                if sum < best[next] {
                    best[next] = sum
                    last[next] = (first, second)
                }
            }
        }
        var pairs: [(Int, Int)] = []
        var mask = full - 1
        while mask != 0 {
            let (first, second) = last[mask]
            guard first >= 0 else { break }
            mask &= ~(1 << first)
            if second != first {
                mask &= ~(1 << second)
                pairs.append((first, second))
            }
        }
        return pairs.sorted { $0.0 < $1.0 }
    }
}
