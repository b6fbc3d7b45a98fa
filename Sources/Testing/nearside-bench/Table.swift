// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Median, minimum and maximum of each row.
struct Table {
    private(set) var text = pad("", 54) + pad("median", 12) + pad("min", 12) + pad("max", 12) + "\n"

    mutating func add(_ name: String, _ values: [Double], _ unit: String) {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last else { return }
        text +=
            Self.pad(name, 54) + [sorted[sorted.count / 2], first, last].map { Self.pad(Self.round($0), 12) }.joined() + unit + "\n"
    }

    private static func pad(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(1, width - text.count)) }
    private static func round(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}

enum Stopwatch {
    static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) * 1000 + Double(time.tv_nsec) / 1e6
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }

    static func milliseconds(_ body: () throws -> Void) rethrows -> Double {
        let start = now()
        try body()
        return now() - start
    }
}
