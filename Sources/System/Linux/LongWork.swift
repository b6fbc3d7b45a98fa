// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Runs long computations one after the other on a separate thread, so that they never occupy all processors.
package final class LongWork: Sendable {
    package static let shared = LongWork()

    private struct State {
        var waiting: [@Sendable () -> Void] = []
        var isRunning = false
    }

    private let state = Mutex(State())

    private init() {}

    /// Runs the closure after those of earlier calls; on the caller's thread if no thread can be started.
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
