// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A counting semaphore of this process (sem_overview(7)), which starts at 0. For threads that may block.
// SAFETY: the memory is initialised before anything refers to the object, and is freed with it. All threads may use a semaphore at once.
@safe package final class Semaphore: Sendable {
    nonisolated(unsafe) private let value = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    package init() { unsafe sem_init(value, 0, 0) }

    deinit {
        unsafe sem_destroy(value)
        unsafe value.deallocate()
    }

    /// Adds one, which wakes a thread that waits.
    package func post() { unsafe sem_post(value) }

    /// Waits until there is one, and takes it.
    package func wait() { while unsafe sem_wait(value) != 0 {} }

    /// Waits for some seconds, or until a signal interrupts that. False when there was none to take.
    package func wait(seconds: Int) -> Bool {
        var end = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &end)
        end.tv_sec += seconds
        return unsafe sem_timedwait(value, &end) == 0
    }
}
