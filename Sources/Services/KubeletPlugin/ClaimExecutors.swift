// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import Synchronization

/// Runs the work on claims on a few dedicated threads, so that reading and planning a claim delays neither the event loop nor other
/// claims.
///
/// A claim stays on one thread, the one with the fewest claims, because its work is a chain of short steps.
final class ClaimExecutors: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let executors: [EventLoopExecutor]
    /// The number of claims of each thread.
    private let claims: Mutex<[Int]>

    init(threads count: Int = 4) {
        group = MultiThreadedEventLoopGroup(numberOfThreads: count)
        executors = group.makeIterator().map(EventLoopExecutor.init)
        claims = Mutex(Array(repeating: 0, count: count))
    }

    func run<Value: Sendable>(_ body: @Sendable () async -> Value) async -> Value {
        let index = claims.withLock { claims in
            let index = claims.indices.min { claims[$0] < claims[$1] } ?? 0
            claims[index] += 1
            return index
        }
        defer { claims.withLock { $0[index] -= 1 } }
        return await withTaskExecutorPreference(executors[index], operation: body)
    }

    /// Ends the threads, after the last claim.
    func shutDown() async { try? await group.shutdownGracefully() }
}
