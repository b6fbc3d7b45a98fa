// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Synchronization
import Testing

@Suite struct ThreadPoolTests {
    @Test
    func `blocked calls do not delay later calls, and idle threads are reused`() throws {
        let gate = try #require(Gate())
        let threads = Mutex<Set<String>>([])
        let done = Atomic(0)
        for _ in 0..<20 { try CachedThreadPool.shared.run { gate.wait() } }
        for number in 1...50 {
            try CachedThreadPool.shared.run {
                _ = threads.withLock { $0.insert(Files.linkTarget("/proc/thread-self") ?? "") }
                done.add(1, ordering: .relaxed)
            }
            let start = ContinuousClock.now
            while done.load(ordering: .relaxed) < number, ContinuousClock.now - start < .seconds(10) { usleep(100) }
            #expect(done.load(ordering: .relaxed) == number)
        }
        for _ in 0..<20 { gate.open() }
        // Other tests use the pool too.
        #expect(threads.withLock(\.count) < 25)
    }

    /// Blocks threads until it is opened, once for each thread.
    private final class Gate: Sendable {
        nonisolated(unsafe) private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        init?() { if sem_init(semaphore, 0, 0) != 0 { return nil } }

        func wait() { while sem_wait(semaphore) != 0 {} }
        func open() { sem_post(semaphore) }
    }
}
