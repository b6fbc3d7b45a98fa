// SPDX-License-Identifier: Apache-2.0

/// Exponential backoff: the delay doubles with each attempt, up to a bound.
package struct Backoff: Hashable, Sendable {
    package let first: Duration
    package let longest: Duration

    package init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// - Parameter attempt: from 0, for the first delay.
    package func delay(attempt: Int) -> Duration { min(first * (1 << max(0, min(attempt, 30))), longest) }
}
