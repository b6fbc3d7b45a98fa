// SPDX-License-Identifier: Apache-2.0

/// A point in time at which a wait ends, on a monotonic clock that includes suspend (CLOCK_BOOTTIME).
package struct Deadline: Hashable, Comparable, Sendable {
    package let instant: ContinuousClock.Instant

    package init(_ instant: ContinuousClock.Instant) { self.instant = instant }

    /// The deadline that passes now.
    package static var now: Deadline { Deadline(.now) }

    /// The deadline that passes after the duration.
    package static func after(_ duration: Duration) -> Deadline { Deadline(.now + duration) }

    package var hasPassed: Bool { instant <= .now }

    /// The remaining time; never negative.
    package var remaining: Duration { max(.zero, ContinuousClock.now.duration(to: instant)) }

    package static func < (left: Deadline, right: Deadline) -> Bool { left.instant < right.instant }
}

extension Duration {
    /// Whole milliseconds, rounded up, for poll(2): a wait that is rounded down would end before its deadline.
    package var milliseconds: Int {
        let (seconds, attoseconds) = components
        // Longer than any wait.
        guard seconds < 1 << 50 else { return .max }
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
