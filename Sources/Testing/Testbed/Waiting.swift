// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Limits of waits. They are generous, because only failures reach them, and a busy machine takes seconds to start a process.
package enum Waiting {
    /// The limit of a wait for an expected condition, in seconds.
    package static let bound = 60.0
}

/// Repeats a condition until it is true.
///
/// - Parameter seconds: the limit of the wait. A limit below ``Waiting/bound`` is for waits that may end without the condition.
/// - Returns: false if the limit was reached.
package func eventually(seconds: Double = Waiting.bound, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= end { return false }
        usleep(5000)
    }
}
