// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ClaimPreparation
import JournalModel
import KubeletPlugin
import Synchronization

/// The durations of the kubelet's calls, for each claim.
final class CallTimes: Sendable {
    enum Call: String, CaseIterable {
        case prepare, unprepare
    }

    struct Key: Hashable {
        var call: Call
        var succeeded: Bool
    }

    struct Histogram: Hashable {
        /// Upper bounds; longer calls count only in the total. The kubelet's time-out is 45 seconds.
        static let bounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 45_000].map { Duration.milliseconds($0) }

        /// The number of calls that took at most the bound at the same index.
        private(set) var counts = [Int](repeating: 0, count: bounds.count)
        private(set) var total = 0
        private(set) var sum = Duration.zero

        mutating func add(_ time: Duration) {
            for (index, bound) in Self.bounds.enumerated() where time <= bound { counts[index] += 1 }
            total += 1
            sum += time
        }
    }

    private let histograms = Mutex<[Key: Histogram]>([:])

    var current: [Key: Histogram] { histograms.withLock { $0 } }

    func measure<Value>(_ call: Call, _ body: () async throws(ClaimError) -> Value) async throws(ClaimError) -> Value {
        let start = ContinuousClock.now
        let outcome: Result<Value, ClaimError>
        do throws(ClaimError) { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        let key = Key(call: call, succeeded: (try? outcome.get()) != nil)
        histograms.withLock { $0[key, default: Histogram()].add(ContinuousClock.now - start) }
        return try outcome.get()
    }
}

/// Forwards calls to another handler, and measures their durations.
struct MeasuredHandler: ClaimHandler {
    let handler: any ClaimHandler
    let times: CallTimes

    func prepare(_ claim: ClaimIdentity) async throws(ClaimError) -> [PreparedDevice] {
        try await times.measure(.prepare) { () async throws(ClaimError) in try await handler.prepare(claim) }
    }

    func unprepare(_ claim: ClaimIdentity) async throws(ClaimError) {
        try await times.measure(.unprepare) { () async throws(ClaimError) in try await handler.unprepare(claim) }
    }
}
