// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Threads for calls that wait in the kernel, kept for some seconds for the next call: starting a thread takes longer than most of them.
///
/// No call waits for another one: when all threads are busy, a new one starts.
package final class CachedThreadPool: Sendable {
    package static let shared = CachedThreadPool()

    private struct State {
        /// Calls that idle threads have been woken for, at most as many as there are idle threads.
        var calls: [@Sendable () -> Void] = []
        var idle = 0
    }

    private let state = Mutex(State())
    /// Counts the calls that idle threads are to take.
    private let wakeUp = Semaphore()

    private static let idleSeconds = 10

    private init() {}

    /// Runs the closure on a thread that runs nothing else meanwhile. The closure leaves the thread as it found it: a later call would see
    /// another namespace or user.
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

    /// Runs a closure that may block on a thread of its own, and returns its value. Where no thread can be started it runs here.
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
                // A call without another idle thread for it is this thread's.
                guard state.calls.count < state.idle else { return (nil, false) }
                state.idle -= 1
                return (nil, true)
            }
            if isOver { return call }
        }
    }
}
