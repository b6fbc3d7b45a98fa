// SPDX-License-Identifier: Apache-2.0

import Linux
import Synchronization

/// Work of a test on another thread, such as a call that waits in the meantime.
package final class Background: Sendable {
    private let outcome = Mutex<Result<Void, any Error>?>(nil)

    package init(_ body: @escaping @Sendable () throws -> Void) throws {
        try KernelThread.start {
            let result = Result { try body() }
            self.outcome.withLock { $0 = result }
        }
    }

    package var isDone: Bool { outcome.withLock { $0 != nil } }

    /// Waits for the end, and throws the error of the work, or a time-out.
    package func finish(seconds: Double = Waiting.bound) throws {
        struct Unfinished: Error {}
        guard eventually(seconds: seconds, { isDone }) else { throw Unfinished() }
        try outcome.withLock { try $0?.get() }
    }
}
