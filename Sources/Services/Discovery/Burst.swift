// SPDX-License-Identifier: Apache-2.0

package import Linux

/// Makes one announcement of many changes. Pure: the time comes from outside.
package struct Burst: Sendable {
    /// A moment of the clock that goes on while the machine is suspended.
    package typealias Instant = ContinuousClock.Instant

    private let quiet: Duration
    private let timeout: Duration
    private var first: Instant?
    private var last: Instant

    /// - Parameters:
    ///   - quiet: a burst is over when there was no change for this time.
    ///   - timeout: a burst that goes on is announced after this time.
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

    /// The time at which the burst is over if there is no other change; nil without a burst.
    package var deadline: Deadline? { first.map { Deadline(min(last + quiet, $0 + timeout)) } }

    /// True once for each burst, when it is over.
    package mutating func isOver(at now: Instant) -> Bool {
        guard let deadline, now >= deadline.instant else { return false }
        first = nil
        return true
    }
}
