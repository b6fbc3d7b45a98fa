// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Runs programs to their end.
package enum Command {
    /// Runs a program with this process's environment and standard error.
    ///
    /// - Parameters:
    ///   - words: the program, looked up in PATH if it has no slash, and its arguments.
    ///   - limit: the limit of standard output in bytes; more is EFBIG. Nil lets the program inherit standard output.
    /// - Returns: the exit status, or 128 plus the number of the signal that ended the program; and its output.
    /// - Throws: ``SystemError`` with the step `start` if the program cannot be executed.
    package static func run(_ words: [String], limit: Int? = nil) throws(SystemError) -> (status: Int32, output: [UInt8]) {
        guard let limit else { return (try status(of: start(words)), []) }
        let (reader, child) = try startWithOutput(words)
        // The output is read to its end first, because a full pipe would block the program.
        let output = Result { () throws(SystemError) in try reader.readToEnd(limit: limit) }
        return (try status(of: child), try output.get())
    }

    private static func startWithOutput(_ words: [String]) throws(SystemError) -> (Descriptor, pid_t) {
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        let (reader, writer) = try unsafe Descriptor.pair("pipe") { unsafe pipe($0) }
        for end in [reader, writer] { try checked("set the flags", "pipe") { fcntl(end.raw, F_SETFD, FD_CLOEXEC) } }
        return (reader, try start(words, output: writer))
    }

    private static func start(_ words: [String], output: Descriptor? = nil) throws(SystemError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if let output { unsafe posix_spawn_file_actions_adddup2(&actions, output.raw, 1) }
        var child = pid_t()
        let code = unsafe withArguments(words) { unsafe posix_spawnp(&child, words[0], &actions, nil, $0, environ) }
        guard code == 0 else { throw SystemError("start", words[0], code: code) }
        return child
    }

    private static func status(of child: pid_t) throws(SystemError) -> Int32 {
        var status: Int32 = 0
        try checked("wait", "process \(child)") { unsafe waitpid(child, &status, 0) }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }
}
