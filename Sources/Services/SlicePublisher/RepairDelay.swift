// SPDX-License-Identifier: Apache-2.0

import Primitives

/// The backoff for reverting changes of other writers: it grows with each change, because a second driver of the same name would change
/// slices continuously. A value.
package struct RepairDelay {
    private var last: ContinuousClock.Instant?
    private var count = 0
    /// The time at which the change that was observed last is reverted.
    package private(set) var due = ContinuousClock.now

    package init() {}

    private static let backoff = Backoff(first: .milliseconds(500), longest: .seconds(30))
    /// The backoff resets after this time without a repair.
    static let quietTime = Duration.seconds(60)

    /// The delay for a change that was observed now.
    package mutating func next(at now: ContinuousClock.Instant) -> Duration {
        if last.map({ now - $0 >= Self.backoff.first }) ?? true {
            if let last, now - last < Self.quietTime { count += 1 } else { count = 0 }
            last = now
        }
        let delay = Self.backoff.delay(attempt: count)
        due = now + delay
        return delay
    }
}
