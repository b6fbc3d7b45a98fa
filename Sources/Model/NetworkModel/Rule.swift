// SPDX-License-Identifier: Apache-2.0

/// A routing policy rule (RTM_NEWRULE): selects packets, and the routing table for them.
package struct Rule: Hashable, Sendable, Codable {
    package var isV6: Bool
    /// The source prefix; nil for all sources.
    package var source: IPPrefix?
    /// The destination prefix; nil for all destinations.
    package var destination: IPPrefix?
    package var table: UInt32
    /// The priority; nil for the kernel's choice.
    package var priority: UInt32?
    /// The input interface, or the output interface.
    package var inputInterface: String?
    package var outputInterface: String?
    /// True if the rule applies to all packets except the selected ones.
    package var isInverted: Bool
    package var tos: UInt8
    /// FR_ACT_: to a table, to another rule, drop.
    package var action: UInt8
    /// All other attributes (marks, ports, users) in the kernel's encoding.
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
