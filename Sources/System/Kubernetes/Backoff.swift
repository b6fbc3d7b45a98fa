// SPDX-License-Identifier: Apache-2.0

/// Pauses between attempts: exponential, with full jitter above a floor, so that thousands of nodes that failed at one
/// moment do not come back at one moment.
package enum Backoff {
    package static func pause(attempt: Int, longest: Duration = .seconds(30)) -> Duration {
        let ceiling = min(Duration.milliseconds(100 * (1 << max(0, min(attempt, 16)))), longest)
        return .milliseconds(50) + ceiling * Double.random(in: 0...1)
    }

    /// What the server asked for, and up to a quarter more: it asks the same of everybody.
    package static func pause(asked: Duration) -> Duration {
        asked + (asked / 4 + .milliseconds(250)) * Double.random(in: 0...1)
    }
}
