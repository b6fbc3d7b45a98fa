// SPDX-License-Identifier: Apache-2.0

import Linux

/// Signals a wake-up at the earliest of the set times.
actor Alarm {
    private let wakeup: Wakeup
    private var due: ContinuousClock.Instant?
    private let times: AsyncStream<ContinuousClock.Instant>
    private let continuation: AsyncStream<ContinuousClock.Instant>.Continuation

    /// Added to each time: an observation at the exact moment could be too early to see a condition end.
    private static let margin = Duration.milliseconds(10)

    init(_ wakeup: Wakeup) {
        self.wakeup = wakeup
        (times, continuation) = AsyncStream.makeStream()
    }

    /// Has no effect if an earlier time is set.
    func set(_ time: ContinuousClock.Instant) {
        if let due, due <= time { return }
        due = time
        continuation.yield(time)
    }

    /// Runs until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await time in times {
                group.addTask {
                    guard (try? await Task.sleep(until: time + Self.margin, clock: .continuous)) != nil else { return }
                    await self.ring(time)
                }
            }
            group.cancelAll()
        }
    }

    private func ring(_ time: ContinuousClock.Instant) {
        if due == time { due = nil }
        wakeup.signal()
    }
}
