// SPDX-License-Identifier: Apache-2.0

package import Glibc
package import Linux

/// A child process whose output is kept, and which ends with this object.
package final class ChildProcess: @unchecked Sendable {
    package let identifier: pid_t
    private let output: Descriptor
    private var status: Int32?

    /// Starts a program, optionally inside a namespace.
    package init(
        _ path: String, _ arguments: [String], in namespace: NetworkNamespace? = nil, output file: String? = nil
    ) throws(SystemError) {
        let name = file ?? "/dev/null"
        output = try Descriptor.open(name, flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
        let start = { [output] () throws(SystemError) -> pid_t in
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, output.raw, 1)
            posix_spawn_file_actions_adddup2(&actions, output.raw, 2)
            // Test runners block signals in their threads; a daemon needs them.
            var attributes = posix_spawnattr_t()
            posix_spawnattr_init(&attributes)
            defer { posix_spawnattr_destroy(&attributes) }
            var none = sigset_t()
            sigemptyset(&none)
            posix_spawnattr_setsigmask(&attributes, &none)
            posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
            var words = ([path] + arguments).map { strdup($0) } + [nil]
            defer { for word in words { free(word) } }
            var child = pid_t()
            let code = posix_spawn(&child, path, &actions, &attributes, &words, environ)
            guard code == 0 else { throw SystemError("start", path, code: code) }
            return child
        }
        identifier = if let namespace { try namespace.run(start) } else { try start() }
    }

    deinit {
        if isRunning { stop(SIGKILL) }
    }

    package var isRunning: Bool {
        guard status == nil else { return false }
        var value: Int32 = 0
        if waitpid(identifier, &value, WNOHANG) == identifier { status = value }
        return status == nil
    }

    package func signal(_ number: Int32) { if isRunning { kill(identifier, number) } }

    /// Sends the signal, waits for the end, and returns the exit status, or 128 plus the number of the signal.
    @discardableResult
    package func stop(_ number: Int32 = SIGTERM) -> Int32 {
        signal(number)
        return wait()
    }

    @discardableResult
    package func wait() -> Int32 {
        if status == nil {
            var value: Int32 = 0
            while waitpid(identifier, &value, 0) < 0, errno == EINTR {}
            status = value
        }
        let value = status ?? 0
        return value & 0x7f == 0 ? (value >> 8) & 0xff : 128 + (value & 0x7f)
    }

    /// Runs a program to its end, and returns its output.
    package static func run(
        _ path: String, _ arguments: [String], in namespace: NetworkNamespace? = nil
    ) throws(SystemError) -> (status: Int32, output: String) {
        let scratch = try ScratchFolder("run")
        let child = try ChildProcess(path, arguments, in: namespace, output: scratch("out"))
        let status = child.wait()
        return (status, try Files.readText(scratch("out"), limit: 64 << 20))
    }
}
