// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A program that runs beside us, and is killed with this object, or with the thread that started it.
///
/// ## Concurrency model
/// Used by one thread.
package final class Subprocess {
    package let identifier: Int32
    /// Can be read once the program has ended.
    package let end: Descriptor
    private var isReaped = false

    /// Starts a program in a network namespace. That it cannot be executed shows in its end.
    ///
    /// - Parameters:
    ///   - words: its arguments, the name it is called by first.
    ///   - environment: `NAME=VALUE`; all that it gets.
    package init(
        _ path: String, _ words: [String], environment: [String], in namespace: NetworkNamespace
    ) throws(SystemError) {
        var arguments = words.map { strdup($0) } + [nil]
        defer { for word in arguments { free(word) } }
        var variables = environment.map { strdup($0) } + [nil]
        defer { for variable in variables { free(variable) } }
        let child = try checked("start", path) { CLinux_spawn(path, &arguments, &variables, namespace.descriptor.raw) }
        identifier = child
        do throws(SystemError) {
            end = Descriptor(owning: try checked("watch", "process \(child)") { CLinux_process_descriptor(child) })
        } catch {
            kill(child, SIGKILL)
            waitpid(child, nil, 0)
            throw error
        }
    }

    deinit { stop(patience: 0) }

    /// Asks it to end.
    package func ask() { if !isReaped { kill(identifier, SIGTERM) } }

    /// Waits until it has ended; one that does not is killed.
    package func stop(patience milliseconds: Int) {
        guard !isReaped else { return }
        if milliseconds == 0 || (try? Poller.readable([end], milliseconds: milliseconds))?.isEmpty != false { kill(identifier, SIGKILL) }
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        isReaped = true
    }
}
