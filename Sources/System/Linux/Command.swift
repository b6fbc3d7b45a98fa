// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A program that runs to its end.
package enum Command {
    /// Runs a program with this process's environment and standard error.
    ///
    /// - Parameters:
    ///   - words: the program, looked up in PATH where it has no slash, and its arguments.
    ///   - limit: the most bytes of standard output that are kept; more are EFBIG. Nil leaves standard output to the program.
    /// - Returns: the exit status, or 128 and the number of the signal that ended the program; its output.
    /// - Throws: ``SystemError`` with the step `start` when the program cannot be executed.
    package static func run(_ words: [String], limit: Int? = nil) throws(SystemError) -> (status: Int32, output: [UInt8]) {
        guard let limit else { return (try status(of: start(words)), []) }
        let (reader, child) = try startWithOutput(words)
        // The output is read to its end first: a full pipe would keep the program from ending.
        let output = Result { () throws(SystemError) in try reader.readToEnd(limit: limit) }
        return (try status(of: child), try output.get())
    }

    private static func startWithOutput(_ words: [String]) throws(SystemError) -> (Descriptor, pid_t) {
        var ends: [Int32] = [-1, -1]
        try checked("make", "pipe") { pipe(&ends) }
        let (reader, writer) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        for end in [reader, writer] { try checked("set the flags", "pipe") { fcntl(end.raw, F_SETFD, FD_CLOEXEC) } }
        return (reader, try start(words, output: writer))
    }

    private static func start(_ words: [String], output: Descriptor? = nil) throws(SystemError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let output { posix_spawn_file_actions_adddup2(&actions, output.raw, 1) }
        // SAFETY: posix_spawnp(3) copies the words before it returns, and they are freed after that.
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        let code = posix_spawnp(&child, words[0], &actions, nil, &arguments, environ)
        guard code == 0 else { throw SystemError("start", words[0], code: code) }
        return child
    }

    private static func status(of child: pid_t) throws(SystemError) -> Int32 {
        var status: Int32 = 0
        try checked("wait", "process \(child)") { waitpid(child, &status, 0) }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
    }
}
