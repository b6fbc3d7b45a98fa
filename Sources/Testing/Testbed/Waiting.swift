// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Bounds of waits. Only a failure reaches them, so they are generous: a busy machine takes several seconds to start a process.
package enum Waiting {
    /// The bound of a wait for something that must appear, in seconds.
    package static let bound = 60.0
}

/// Repeats a condition until it holds.
///
/// - Parameter seconds: the bound of the wait. A shorter one than ``Waiting/bound`` is for a wait that may end without the condition.
/// - Returns: false when the bound was reached.
package func eventually(seconds: Double = Waiting.bound, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
        if try condition() { return true }
        if ContinuousClock.now >= end { return false }
        usleep(5000)
    }
}
