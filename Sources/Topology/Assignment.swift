// SPDX-License-Identifier: Apache-2.0

/// Exact assignment of rows to columns.
enum Assignment {
    /// More than any sum of costs that can occur; an edge of this cost is not there.
    static let forbidden = Int.max / 4

    /// The column of each row so that the sum of costs is least: the Hungarian method with
    /// potentials (Kuhn 1955, in the O(n² m) form by shortest augmenting paths). Rows must not outnumber columns.
    static func minimalSum(rows: Int, columns: Int, cost: (Int, Int) -> Int) -> [Int] {
        precondition(rows <= columns)
        // Row 0 and column 0 are sentinels.
        var rowPotential = [Int](repeating: 0, count: rows + 1)
        var columnPotential = [Int](repeating: 0, count: columns + 1)
        var rowOfColumn = [Int](repeating: 0, count: columns + 1)
        var previous = [Int](repeating: 0, count: columns + 1)
        for row in stride(from: 1, through: rows, by: 1) {
            rowOfColumn[0] = row
            var column = 0
            var slack = [Int](repeating: .max, count: columns + 1)
            var isVisited = [Bool](repeating: false, count: columns + 1)
            repeat {
                isVisited[column] = true
                let current = rowOfColumn[column]
                var step = Int.max
                var next = 0
                for candidate in 1...columns where !isVisited[candidate] {
                    let reduced = cost(current - 1, candidate - 1) - rowPotential[current] - columnPotential[candidate]
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
                    } else {
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

    /// The least bound under which every row still finds a column of its own: the bottleneck.
    static func bottleneck(rows: Int, columns: Int, cost: (Int, Int) -> Int) -> Int {
        var bounds = Set<Int>()
        for row in 0..<rows {
            for column in 0..<columns { bounds.insert(cost(row, column)) }
        }
        let sorted = bounds.sorted()
        var low = 0
        var high = sorted.count - 1
        while low < high {
            let middle = (low + high) / 2
            if hasPerfectMatching(rows: rows, columns: columns, isAllowed: { cost($0, $1) <= sorted[middle] }) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return sorted.isEmpty ? 0 : sorted[low]
    }

    /// Kuhn's augmenting paths: whether every row finds a column.
    private static func hasPerfectMatching(rows: Int, columns: Int, isAllowed: (Int, Int) -> Bool) -> Bool {
        var rowOfColumn = [Int?](repeating: nil, count: columns)
        func augment(_ row: Int, _ isVisited: inout [Bool]) -> Bool {
            for column in 0..<columns where !isVisited[column] && isAllowed(row, column) {
                isVisited[column] = true
                guard let other = rowOfColumn[column] else {
                    rowOfColumn[column] = row
                    return true
                }
                if augment(other, &isVisited) {
                    rowOfColumn[column] = row
                    return true
                }
            }
            return false
        }
        for row in 0..<rows {
            var isVisited = [Bool](repeating: false, count: columns)
            if !augment(row, &isVisited) { return false }
        }
        return true
    }
}
