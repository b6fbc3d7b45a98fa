// SPDX-License-Identifier: Apache-2.0

import Primitives

/// The delay before changes of other writers are reverted: short at first, and longer for each further change, as a second driver of the
/// same name would make. A value.
package struct RepairDelay {
    private var last: ContinuousClock.Instant?
    private var count = 0

    package init() {}

    private static let backoff = Backoff(first: .milliseconds(500), longest: .seconds(30))
    /// After this time without a repair the delay is short again.
    static let quietTime = Duration.seconds(60)

    /// The delay for a change that was seen now.
    package mutating func next(at now: ContinuousClock.Instant) -> Duration {
        if let last, now - last < Self.backoff.first { return Self.backoff.delay(attempt: count) }
        if let last, now - last < Self.quietTime { count += 1 } else { count = 0 }
        last = now
        return Self.backoff.delay(attempt: count)
    }
}
