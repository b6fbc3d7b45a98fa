// SPDX-License-Identifier: Apache-2.0

/// A rule that says which packets look up which routing table (RTM_NEWRULE).
package struct Rule: Hashable, Sendable, Codable {
    package var isV6: Bool
    /// The source addresses it holds for; nil for all.
    package var source: IPPrefix?
    /// The destinations it holds for; nil for all.
    package var destination: IPPrefix?
    package var table: UInt32
    /// Its place among the rules; nil lets the kernel choose.
    package var priority: UInt32?
    /// The interface by which packets come, or leave.
    package var inputInterface: String?
    package var outputInterface: String?
    /// True when the rule holds for packets other than those selected.
    package var isInverted: Bool
    package var tos: UInt8
    /// FR_ACT_: to a table, to another rule, drop.
    package var action: UInt8
    /// All other attributes (marks, ports, users), as the kernel gave them.
    package var others: [UInt8]

    /// FR_ACT_TO_TBL (linux/fib_rules.h).
    package static let lookup: UInt8 = 1

    package init(
        source: IPPrefix?, table: UInt32, isInverted: Bool = false, destination: IPPrefix? = nil, priority: UInt32? = nil,
        isV6: Bool = false
    ) {
        self.isV6 = isV6
        self.source = source
        self.destination = destination
        self.table = table
        self.priority = priority
        self.isInverted = isInverted
        tos = 0
        action = Self.lookup
        others = []
    }
}

extension Rule: CustomStringConvertible {
    package var description: String {
        var text = "from \(source.map(\.description) ?? "all")"
        if let destination { text += " to \(destination)" }
        return text + " lookup \(table)"
    }
}
