// SPDX-License-Identifier: Apache-2.0

import Topology

/// Tries every assignment of up to 8 x 8, with only the objective and no algorithm.
struct ExhaustiveSearch {
    /// Sums, part by part, in the order of importance.
    struct Value: Hashable, Comparable {
        var placed = 0
        var parts = [0, 0, 0, 0, 0]

        /// More placed NICs are better; then smaller sums, part by part.
        static func < (left: Self, right: Self) -> Bool {
            left.placed != right.placed ? left.placed > right.placed : left.parts.lexicographicallyPrecedes(right.parts)
        }
    }

    let distances: [[Distance]]
    let isKept: (Int, Int) -> Bool
    /// Returns true if a group of one member of the smaller side and several of the other spans NUMA nodes.
    let isMixed: (Int, [Int]) -> Bool
    private var accelerators: Int { distances.count }
    private var nics: Int { distances.first?.count ?? 0 }

    init(
        _ distances: [[Distance]], isKept: @escaping (Int, Int) -> Bool = { _, _ in true },
        isMixed: @escaping (Int, [Int]) -> Bool = { _, _ in false }
    ) {
        self.distances = distances
        self.isKept = isKept
        self.isMixed = isMixed
    }

    /// The smallest possible worst distance, and the best sums with it.
    func best() -> (worst: Distance, value: Value)? {
        if accelerators > nics {
            let share = nics == 0 ? 0 : accelerators / nics
            let turned = (0..<nics).map { nic in distances.indices.map { distances[$0][nic] } }
            let sizes = accelerators % nics == 0 ? share...share : share...(share + 1)
            return least(turned, sizes: sizes, all: true) { isKept($1, $0) }
        }
        let nearest = least(distances, sizes: 1...1, all: false, isKept)
        for share in stride(from: nics / accelerators, through: 1, by: -1) {
            guard let found = least(distances, sizes: share...share, all: false, isKept), let nearest else { continue }
            guard share == 1 || found.worst.pathClass <= max(nearest.worst.pathClass, .node) else { continue }
            let isVisible = found.worst.pathClass <= .phb && distances.contains { $0.contains { $0 != found.worst } }
            guard isVisible, nics > share * accelerators else { return found }
            return least(distances, sizes: share...(share + 1), all: false, bound: found.worst, isKept)
        }
        return nil
    }

    /// Each row takes a subset of the columns of an allowed size; with `all`, together they take every column.
    private func least(
        _ table: [[Distance]], sizes: ClosedRange<Int>, all: Bool, bound fixed: Distance? = nil, _ isKept: (Int, Int) -> Bool
    ) -> (worst: Distance, value: Value)? {
        let columns = table[0].count
        for bound in fixed.map({ [$0] }) ?? Set(table.joined()).sorted() {
            var best: [Int: Value] = [0: Value()]
            for (row, distances) in table.enumerated() {
                var next: [Int: Value] = [:]
                for (mask, value) in best {
                    for subset in 0..<(1 << columns) where subset & mask == 0 && sizes.contains(subset.nonzeroBitCount) {
                        var sum = value
                        var isAllowed = true
                        for column in 0..<columns where subset & 1 << column != 0 {
                            let distance = distances[column]
                            if distance > bound { isAllowed = false }
                            sum.placed += 1
                            sum.parts[0] += distance.pathClass.rawValue
                            sum.parts[1] += distance.numa
                            sum.parts[2] += distance.narrowness
                            sum.parts[4] += isKept(row, column) ? 0 : 1
                        }
                        guard isAllowed else { continue }
                        if isMixed(row, (0..<columns).filter { subset & 1 << $0 != 0 }) { sum.parts[3] += 1 }
                        if next[mask | subset].map({ sum < $0 }) ?? true { next[mask | subset] = sum }
                    }
                }
                best = next
            }
            let complete = best.filter { !all || $0.key == (1 << columns) - 1 }.values
            if let value = complete.min() { return (bound, value) }
        }
        return nil
    }
}

/// The smallest sum of the largest number of edges, by cheapest augmenting paths (Bellman and Ford): independent of the
/// tested method.
struct CheapestFlow {
    private struct Edge {
        var from: Int
        var to: Int
        var room: Int
        var cost: [Int]
    }

    private var edges: [Edge]
    private let nodes: Int

    /// Edges of rows and columns within the bound; each row gives at most `rowRoom`, each column takes one.
    private init(_ distances: [[Distance]], rowRoom: Int, columnRoom: Int, bound: Distance) {
        let (rows, columns) = (distances.count, distances[0].count)
        nodes = rows + columns + 2
        var edges: [Edge] = []
        func add(_ from: Int, _ to: Int, _ room: Int, _ cost: [Int]) {
            edges.append(Edge(from: from, to: to, room: room, cost: cost))
            edges.append(Edge(from: to, to: from, room: 0, cost: cost.map { -$0 }))
        }
        for (row, distances) in distances.enumerated() {
            add(0, 1 + row, rowRoom, [0, 0, 0])
            for (column, distance) in distances.enumerated() where distance <= bound {
                add(1 + row, 1 + rows + column, 1, [distance.pathClass.rawValue, distance.numa, distance.narrowness])
            }
        }
        for column in 0..<columns { add(1 + rows + column, nodes - 1, columnRoom, [0, 0, 0]) }
        self.edges = edges
    }

    private mutating func run() -> (count: Int, sum: [Int]) {
        var total = [0, 0, 0]
        var count = 0
        while true {
            var distance = [[Int]?](repeating: nil, count: nodes)
            var last = [Int](repeating: -1, count: nodes)
            distance[0] = [0, 0, 0]
            var hasChanged = true
            while hasChanged {
                hasChanged = false
                for (index, edge) in edges.enumerated() where edge.room > 0 {
                    guard let start = distance[edge.from] else { continue }
                    let sum = zip(start, edge.cost).map(+)
                    if distance[edge.to].map({ sum.lexicographicallyPrecedes($0) }) ?? true {
                        distance[edge.to] = sum
                        last[edge.to] = index
                        hasChanged = true
                    }
                }
            }
            guard let cost = distance[nodes - 1] else { return (count, total) }
            var node = nodes - 1
            while node != 0 {
                edges[last[node]].room -= 1
                edges[last[node] ^ 1].room += 1
                node = edges[last[node]].from
            }
            total = zip(total, cost).map(+)
            count += 1
        }
    }

    /// The smallest worst distance and the smallest sums with it, if each accelerator gets `share` NICs; with more
    /// accelerators than NICs (an even multiple), if each NIC gets `share` accelerators.
    static func best(_ distances: [[Distance]], share: Int) -> (worst: Distance, sum: [Int])? {
        let isTurned = distances.count > distances[0].count
        for bound in Set(distances.joined()).sorted() {
            var flow = CheapestFlow(distances, rowRoom: isTurned ? 1 : share, columnRoom: isTurned ? share : 1, bound: bound)
            let (count, sum) = flow.run()
            if count == (isTurned ? distances.count : distances.count * share) { return (bound, sum) }
        }
        return nil
    }
}
