// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Runs tasks on the thread of an event loop. A call is a chain of short steps between a server, a client and files in memory; a change
/// of threads between two steps would take longer than a step.
final class EventLoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // SAFETY: the executor runs each job once.
        loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
