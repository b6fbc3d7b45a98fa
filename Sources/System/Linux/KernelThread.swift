// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A thread outside of the cooperative pool, for work that blocks in the kernel or changes the thread's namespace.
package enum KernelThread {
    /// Runs the closure on a new thread, which ends with the closure.
    package static func start(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        pthread_detach(try launch(body))
    }

    /// Runs the closure on a new thread, and waits for it.
    package static func run<Value>(_ body: () -> Value) throws(SystemError) -> Value {
        var result: Value?
        var failure: SystemError?
        withoutActuallyEscaping({ result = body() }) { escaping in
            do throws(SystemError) { pthread_join(try launch(escaping), nil) } catch { failure = error }
        }
        guard let result else { throw failure ?? SystemError("start", "thread", code: EAGAIN) }
        return result
    }

    // SAFETY: the closure is retained until the new thread takes it, and released here if the thread cannot be started.
    private static func launch(_ body: @escaping () -> Void) throws(SystemError) -> pthread_t {
        let work = unsafe Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument = unsafe argument { unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, unsafe work.toOpaque())
        if code != 0 {
            unsafe work.release()
            throw SystemError("start", "thread", code: code)
        }
        return thread
    }

    private final class Work {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }
}
