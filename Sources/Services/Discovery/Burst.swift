// SPDX-License-Identifier: Apache-2.0

package import Linux

/// Coalesces many changes into one announcement. Pure: the caller passes the time.
package struct Burst: Sendable {
    /// An instant of the clock that includes suspend.
    package typealias Instant = ContinuousClock.Instant

    private let quiet: Duration
    private let timeout: Duration
    private var first: Instant?
    private var last: Instant

    /// - Parameters:
    ///   - quiet: a burst ends after this time without a change.
    ///   - timeout: a longer burst is announced after this time.
    package init(quiet: Duration, timeout: Duration) {
        self.quiet = quiet
        self.timeout = timeout
        last = .now
    }

    /// Adds a change.
    package mutating func note(at now: Instant) {
        if first == nil { first = now }
        last = now
    }

    /// The end of the burst if no other change follows; nil without a burst.
    package var deadline: Deadline? { first.map { Deadline(min(last + quiet, $0 + timeout)) } }

    /// True once for each burst, after its end.
    package mutating func isOver(at now: Instant) -> Bool {
        guard let deadline, now >= deadline.instant else { return false }
        first = nil
        return true
    }
}
