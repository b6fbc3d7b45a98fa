// SPDX-License-Identifier: Apache-2.0

/// A configured queueing discipline of an interface: tc(8). The kernel's own choice has the handle 0, and needs no restore.
///
/// Source: linux/rtnetlink.h, struct tcmsg and TCA_.
package struct QueueingDiscipline: Hashable, Sendable, Codable {
    package var kind: String
    /// The major number in the upper half: 0x80010000 is `8001:`.
    package var handle: UInt32
    /// The parent: ``root``, ``hooks``, or a class of another discipline.
    package var parent: UInt32
    /// TCA_OPTIONS as reported by the kernel, which accepts the same bytes.
    package var options: [UInt8]?

    /// TC_H_ROOT and TC_H_CLSACT (linux/pkt_sched.h).
    package static let root: UInt32 = 0xffff_ffff
    package static let hooks: UInt32 = 0xffff_fff1

    package init(kind: String, handle: UInt32, parent: UInt32, options: [UInt8]? = nil) {
        self.kind = kind
        self.handle = handle
        self.parent = parent
        self.options = options
    }

    /// True for disciplines that the kernel reports completely, in a form that it accepts. Others have their own classes and
    /// filters, or tables that the kernel does not report.
    package var isComplete: Bool { Self.complete.contains(kind) }

    private static let complete: Set<String> = [
        "bfifo", "cake", "clsact", "codel", "etf", "fq", "fq_codel", "fq_pie", "hhf", "ingress", "mq", "mqprio", "multiq", "netem",
        "noqueue", "pfifo", "pfifo_fast", "pfifo_head_drop", "pie", "prio", "sfb", "sfq", "skbprio", "tbf",
    ]

    /// Sorts disciplines for setting: each after its parent.
    package static func ordered(_ all: [QueueingDiscipline]) -> [QueueingDiscipline] {
        var left = all
        var ordered: [QueueingDiscipline] = []
        while !left.isEmpty {
            let next = left.filter { entry in
                [root, hooks].contains(entry.parent) || !left.contains { $0.handle >> 16 == entry.parent >> 16 }
            }
            // Cycles do not occur in the kernel.
            if next.isEmpty { return ordered + left }
            ordered += next
            left.removeAll(where: next.contains)
        }
        return ordered
    }
}
