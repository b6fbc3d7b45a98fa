// SPDX-License-Identifier: Apache-2.0

/// A queueing discipline that was set on an interface: tc(8). What the kernel chose by itself has the handle 0, and is
/// chosen again by itself.
///
/// Source: linux/rtnetlink.h, struct tcmsg and TCA_.
package struct QueueingDiscipline: Hashable, Sendable, Codable {
    package var kind: String
    /// Its major number in the upper half: 0x80010000 is `8001:`.
    package var handle: UInt32
    /// Where it is: ``root``, ``hooks``, or a class of another one.
    package var parent: UInt32
    /// TCA_OPTIONS, as the kernel gave it; it takes the same.
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

    /// True for disciplines that the kernel describes completely, in a form that it accepts again. Others have classes and filters
    /// of their own, or tables that it does not tell.
    package var isComplete: Bool { Self.complete.contains(kind) }

    private static let complete: Set<String> = [
        "bfifo", "cake", "clsact", "codel", "etf", "fq", "fq_codel", "fq_pie", "hhf", "ingress", "mq", "mqprio", "multiq", "netem",
        "noqueue", "pfifo", "pfifo_fast", "pfifo_head_drop", "pie", "prio", "sfb", "sfq", "skbprio", "tbf",
    ]

    /// In the order in which they can be set: each behind the one that its place is in.
    package static func ordered(_ all: [QueueingDiscipline]) -> [QueueingDiscipline] {
        var left = all
        var ordered: [QueueingDiscipline] = []
        while !left.isEmpty {
            let next = left.filter { entry in
                [root, hooks].contains(entry.parent) || !left.contains { $0.handle >> 16 == entry.parent >> 16 }
            }
            // The kernel has no circles.
            if next.isEmpty { return ordered + left }
            ordered += next
            left.removeAll(where: next.contains)
        }
        return ordered
    }
}
