// SPDX-License-Identifier: Apache-2.0

/// Runs tasks on threads that may block, so that a service's calls for files, locks and sockets do not occupy the few threads of the
/// cooperative pool.
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
            // If no thread can be started, the task runs on the global executor.
            globalConcurrentExecutor.enqueue(ExecutorJob(job))
        }
    }
}
