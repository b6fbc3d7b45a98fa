// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A thread that enters network namespaces one after the other, and returns to its own namespace after each.
///
/// A thread that cannot return ends, so that no later work runs in a pod's namespace by mistake.
///
/// ## Concurrency model
/// Used by one thread, which waits for each closure.
package final class NamespaceThread {
    private let home: NetworkNamespace
    private var worker: Worker?

    package init(home: NetworkNamespace) { self.home = home }

    deinit { worker?.end() }

    /// Runs the closure inside the namespace, and waits for it. Sockets opened there stay bound to the namespace.
    package func run<Value, Failure: Error>(
        in namespace: NetworkNamespace, _ body: () throws(Failure) -> Value, entering: (SystemError) -> Failure
    ) throws(Failure) -> Value {
        var outcome: Result<Value, Failure>?
        var failure: SystemError?
        let home = home
        do throws(SystemError) {
            let worker: Worker
            if let waiting = self.worker { worker = waiting } else { worker = try Worker() }
            // The worker is used again only after it has reported its return to its own namespace.
            self.worker = nil
            let isHome = worker.run {
                guard CLinux_setns_network(namespace.descriptor.raw) == 0 else {
                    failure = SystemError("enter", "network namespace")
                    return true
                }
                do throws(Failure) { outcome = .success(try body()) } catch { outcome = .failure(error) }
                return CLinux_setns_network(home.descriptor.raw) == 0
            }
            if isHome { self.worker = worker } else { worker.end() }
        } catch { failure = error }
        if let outcome { return try outcome.get() }
        throw entering(failure ?? SystemError("use", "thread", code: ESRCH))
    }
}

/// A thread that runs one closure after the other.
/// SAFETY: the semaphores order all access to the properties: `asked` passes them to the thread, `done` passes them back.
private final class Worker: @unchecked Sendable {
    private let asked = Semaphore()
    private let done = Semaphore()
    /// The caller writes it while the thread waits, and the thread reads it while the caller waits.
    private var work: (() -> Bool)?
    private var result = false

    init() throws(SystemError) {
        try KernelThread.start { [self] in
            while true {
                asked.wait()
                guard step() else { return }
                done.post()
            }
        }
    }

    /// Runs the work. Not inlined, so that no reference to the closure remains when the caller continues.
    @inline(never)
    private func step() -> Bool {
        guard let work else { return false }
        self.work = nil
        result = work()
        return true
    }

    func run(_ work: () -> Bool) -> Bool {
        withoutActuallyEscaping(work) { work in
            self.work = work
            asked.post()
            done.wait()
            return result
        }
    }

    /// Ends the thread.
    func end() { asked.post() }
}
