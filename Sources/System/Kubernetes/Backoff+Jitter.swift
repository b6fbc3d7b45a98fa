// SPDX-License-Identifier: Apache-2.0

package import Primitives

/// Delays between attempts, with full jitter above a minimum, so that thousands of nodes that failed at the same moment do not retry at
/// the same moment.
extension Backoff {
    /// The delay after a number of failed attempts.
    package static func delay(attempt: Int, longest: Duration = .seconds(30)) -> Duration {
        .milliseconds(50) + Backoff(first: .milliseconds(100), longest: longest).delay(attempt: attempt) * Double.random(in: 0...1)
    }

    /// The delay that the server requested, plus up to a quarter, because the server requests the same of all clients.
    package static func delay(asked: Duration) -> Duration {
        asked + (asked / 4 + .milliseconds(250)) * Double.random(in: 0...1)
    }
}
