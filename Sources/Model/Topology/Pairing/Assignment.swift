// SPDX-License-Identifier: Apache-2.0

/// A table of the costs of assigning a column to each row.
///
/// A cost is a lexicographic tuple, packed into one number of 128 bits whose parts have room for sums over 1024 rows.
package struct AssignmentTable {
    private let rows: Int
    private let columns: Int
    private var costs: [Int128]

    /// Cost of a forbidden edge: more than any sum of valid costs.
    package static let forbidden: Int128 = 1 << 114

    /// - Parameter cost: cost of an edge between a row and a column. There have to be at least as many columns as rows.
    package init(rows: Int, columns: Int, cost: (Int, Int) -> Int128) {
        precondition(rows <= columns)
        self.rows = rows
        self.columns = columns
        costs = []
        costs.reserveCapacity(rows * columns)
        for row in 0..<rows {
            for column in 0..<columns { costs.append(cost(row, column)) }
        }
    }

    /// Returns the column of each row with the least sum of costs, by the Hungarian method with potentials (Kuhn 1955; shortest augmenting
    /// paths in O(rows² x columns), Jonker and Volgenant 1987).
    package func solve() -> [Int] {
        // Row 0 and column 0 are sentinels.
        var rowPotential = [Int128](repeating: 0, count: rows + 1)
        var columnPotential = [Int128](repeating: 0, count: columns + 1)
        var rowOfColumn = [Int](repeating: 0, count: columns + 1)
        var previous = [Int](repeating: 0, count: columns + 1)
        var slack = [Int128](repeating: .max, count: columns + 1)
        var isVisited = [Bool](repeating: false, count: columns + 1)
        for row in stride(from: 1, through: rows, by: 1) {
            rowOfColumn[0] = row
            for column in 0...columns {
                slack[column] = .max
                isVisited[column] = false
            }
            var column = 0
            repeat {
                isVisited[column] = true
                let current = rowOfColumn[column]
                let base = (current - 1) * columns - 1
                let potential = rowPotential[current]
                var step = Int128.max
                var next = 0
                for candidate in 1...columns where !isVisited[candidate] {
                    let reduced = costs[base + candidate] - potential - columnPotential[candidate]
                    if reduced < slack[candidate] {
                        slack[candidate] = reduced
                        previous[candidate] = column
                    }
                    if slack[candidate] < step {
                        step = slack[candidate]
                        next = candidate
                    }
                }
                for candidate in 0...columns {
                    if isVisited[candidate] {
                        rowPotential[rowOfColumn[candidate]] += step
                        columnPotential[candidate] -= step
                    } else if candidate > 0 {
                        slack[candidate] -= step
                    }
                }
                column = next
            } while rowOfColumn[column] != 0
            repeat {
                let before = previous[column]
                rowOfColumn[column] = rowOfColumn[before]
                column = before
            } while column != 0
        }
        var columnOfRow = [Int](repeating: 0, count: rows)
        for column in stride(from: 1, through: columns, by: 1) where rowOfColumn[column] != 0 {
            columnOfRow[rowOfColumn[column] - 1] = column - 1
        }
        return columnOfRow
    }
}

/// The bottleneck of an assignment: the least cost of its worst edge.
enum Bottleneck {
    /// Returns the least bound under which all members of the left side, each with `capacity` places, can be assigned distinct partners on
    /// the right.
    static func least(left: Int, capacity: Int, right: Int, cost: (Int, Int) -> Int) -> Int {
        var costs: [Int] = []
        costs.reserveCapacity(left * right)
        for row in 0..<left {
            for column in 0..<right { costs.append(cost(row, column)) }
        }
        let bounds = Set(costs).sorted()
        var (low, high) = (0, bounds.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if isComplete(left, capacity, right, costs, bounds[middle]) { high = middle } else { low = middle + 1 }
        }
        return bounds.isEmpty ? 0 : bounds[low]
    }

    /// Returns true if a complete assignment exists under a bound, by Kuhn's augmenting paths with one vertex for each place.
    private static func isComplete(_ left: Int, _ capacity: Int, _ right: Int, _ costs: [Int], _ bound: Int) -> Bool {
        var owner = [Int](repeating: -1, count: right)
        var seen = [Int](repeating: -1, count: right)
        func augment(_ row: Int, _ round: Int) -> Bool {
            for column in 0..<right where seen[column] != round && costs[row * right + column] <= bound {
                seen[column] = round
                if owner[column] < 0 || augment(owner[column], round) {
                    owner[column] = row
                    return true
                }
            }
            return false
        }
        for place in 0..<left * capacity where !augment(place / capacity, place) { return false }
        return true
    }
}
