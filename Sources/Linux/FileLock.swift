// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Locks between processes: held until the descriptor is closed, at the latest when the process ends.
package enum FileLock {
    /// Waits until nobody else has the lock.
    ///
    /// - Parameters:
    ///   - pause: between two attempts: a file's lock cannot be waited for without giving up a thread.
    ///   - patience: nil for ever.
    ///   - notice: called once when somebody has it.
    /// - Throws: ``SystemError`` with `EWOULDBLOCK` when `patience` is over; `CancellationError`.
    package static func wait(
        _ path: String, pause: Duration = .milliseconds(200), patience: Duration? = nil, notice: () -> Void = {}
    ) async throws -> Descriptor {
        let file = try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_CLOEXEC, mode: 0o600)
        let end = patience.map { ContinuousClock.now + $0 }
        var isWaiting = false
        while try !file.tryLock() {
            if !isWaiting { notice() }
            isWaiting = true
            if let end, ContinuousClock.now >= end { throw SystemError("lock", path, code: EWOULDBLOCK) }
            try await Task.sleep(for: pause)
        }
        return file
    }
}
