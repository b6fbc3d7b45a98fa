// SPDX-License-Identifier: Apache-2.0

import Primitives

/// The backoff for reverting changes of other writers: it grows with each change, because a second driver of the same name would change
/// slices continuously. A value.
package struct RepairDelay {
    private var last: ContinuousClock.Instant?
    private var count = 0

    package init() {}

    private static let backoff = Backoff(first: .milliseconds(500), longest: .seconds(30))
    /// The backoff resets after this time without a repair.
    static let quietTime = Duration.seconds(60)

    /// The delay for a change that was observed now.
    package mutating func next(at now: ContinuousClock.Instant) -> Duration {
        if let last, now - last < Self.backoff.first { return Self.backoff.delay(attempt: count) }
        if let last, now - last < Self.quietTime { count += 1 } else { count = 0 }
        last = now
        return Self.backoff.delay(attempt: count)
    }
}
