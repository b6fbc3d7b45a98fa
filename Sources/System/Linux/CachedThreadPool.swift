// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Threads for blocking calls, kept for some seconds for the next call, because starting a thread takes longer than most calls.
///
/// No call waits for another one: if all threads are busy, a new one starts.
package final class CachedThreadPool: Sendable {
    package static let shared = CachedThreadPool()

    private struct State {
        /// Calls for which idle threads have been woken; never more than idle threads.
        var calls: [@Sendable () -> Void] = []
        var idle = 0
    }

    private let state = Mutex(State())
    /// Counts the calls that idle threads have to take.
    private let wakeUp = Semaphore()

    private static let idleSeconds = 10

    private init() {}

    /// Runs the closure on a thread that runs no other closure in the meantime. The closure must not change the thread's namespace or
    /// user, because later calls use the same thread.
    package func run(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let isTaken = state.withLock { state in
            guard state.calls.count < state.idle else { return false }
            state.calls.append(body)
            return true
        }
        guard !isTaken else {
            wakeUp.post()
            return
        }
        try KernelThread.start {
            body()
            while let next = self.next() { next() }
        }
    }

    /// Runs a blocking closure on a pooled thread, and returns its value. If no thread can be started, it runs on the caller's thread.
    package func value<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            let call = { @Sendable in continuation.resume(returning: body()) }
            do throws(SystemError) { try run(call) } catch { call() }
        }
    }

    /// Returns the next call for this thread; nil after ``idleSeconds`` without one.
    private func next() -> (@Sendable () -> Void)? {
        state.withLock { $0.idle += 1 }
        while true {
            let isWoken = wakeUp.wait(seconds: Self.idleSeconds)
            let (call, isOver): ((@Sendable () -> Void)?, Bool) = state.withLock { state in
                if isWoken {
                    state.idle -= 1
                    return (state.calls.removeFirst(), true)
                }
                // Another idle thread takes the call if one exists; otherwise this thread does.
                guard state.calls.count < state.idle else { return (nil, false) }
                state.idle -= 1
                return (nil, true)
            }
            if isOver { return call }
        }
    }
}
