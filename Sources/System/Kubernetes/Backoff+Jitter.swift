// SPDX-License-Identifier: Apache-2.0

package import Primitives

/// Delays between attempts of requests, with full jitter above a floor, so that thousands of nodes that failed at one moment do not retry
/// at one moment.
extension Backoff {
    /// The delay after a number of failed attempts.
    package static func delay(attempt: Int, longest: Duration = .seconds(30)) -> Duration {
        .milliseconds(50) + Backoff(first: .milliseconds(100), longest: longest).delay(attempt: attempt) * Double.random(in: 0...1)
    }

    /// The delay that the server asked for, and up to a quarter more: it asks the same of all clients.
    package static func delay(asked: Duration) -> Duration {
        asked + (asked / 4 + .milliseconds(250)) * Double.random(in: 0...1)
    }
}
