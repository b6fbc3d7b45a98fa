// SPDX-License-Identifier: Apache-2.0

import NIOPosix

/// Runs the work on claims on a few threads of its own: what a claim costs to read and to plan keeps neither the event loop nor, as the
/// kernel shares the processors between threads, another claim waiting.
final class ClaimExecutor: TaskExecutor {
    private let threads: NIOThreadPool

    init(threads count: Int = 4) {
        threads = NIOThreadPool(numberOfThreads: count)
        threads.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Also after the end, when the pool calls this at once: a job that is never run would leave its task waiting for ever.
        threads.submit { _ in job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    func shutDown() async { try? await threads.shutdownGracefully() }
}
