// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Long computations, one after the other on a thread of their own, so that any number of them leaves processors for short ones.
package final class LongWork: Sendable {
    package static let shared = LongWork()

    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var isRunning = false
    }

    private let state = Mutex(State())

    private init() {}

    /// Runs the closure after those of earlier calls, or on the caller's thread where the kernel gives no other.
    package func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            let isFirst = state.withLock { state in
                state.waiting.append { continuation.resume(returning: body()) }
                defer { state.isRunning = true }
                return !state.isRunning
            }
            guard isFirst else { return }
            do throws(SystemError) { try CachedThreadPool.shared.run { self.work() } } catch { work() }
        }
    }

    private func work() {
        while true {
            let next: (@Sendable () -> Void)? = state.withLock { state in
                guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
                state.isRunning = false
                return nil
            }
            guard let next else { return }
            next()
        }
    }
}
