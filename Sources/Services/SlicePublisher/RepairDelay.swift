// SPDX-License-Identifier: Apache-2.0

/// The delay before changes of other writers are reverted: short at first, and longer for each further change, as a second driver of the
/// same name would make. A value.
package struct RepairDelay {
    private var last: ContinuousClock.Instant?
    private var count = 0

    package init() {}

    static let first = Duration.milliseconds(500)
    static let longest = Duration.seconds(30)
    /// After this time without a repair the delay is short again.
    static let quietTime = Duration.seconds(60)

    /// The delay for a change that was seen now.
    package mutating func next(at now: ContinuousClock.Instant) -> Duration {
        if let last, now - last < Self.first { return Self.delay(count) }
        if let last, now - last < Self.quietTime { count += 1 } else { count = 0 }
        last = now
        return Self.delay(count)
    }

    private static func delay(_ count: Int) -> Duration { min(first * (1 << min(count, 8)), longest) }
}
