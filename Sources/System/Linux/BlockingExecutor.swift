// SPDX-License-Identifier: Apache-2.0

/// Runs tasks on threads that may block: files, locks and sockets of a service keep no other task from a thread, as they would on the
/// few threads of the cooperative pool.
package final class BlockingExecutor: TaskExecutor {
    package static let shared = BlockingExecutor()

    private init() {}

    /// Runs a job of a task.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        do throws(SystemError) {
            // SAFETY: the executor runs each job once.
            try CachedThreadPool.shared.run { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        } catch {
            // Without a thread of its own the task still runs.
            globalConcurrentExecutor.enqueue(ExecutorJob(job))
        }
    }
}
