// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux

/// A child process whose standard output is read.
enum Command {
    /// Runs a program from PATH. Its standard error is that of this program.
    static func run(_ words: [String], limit: Int) throws(SystemError) -> (status: Int32, output: [UInt8]) {
        var ends: [Int32] = [0, 0]
        try checked("make", "a pipe") { pipe(&ends) }
        let reader = Descriptor(owning: ends[0])
        // The child must not keep the reading end of its own output open.
        try checked("close on start", "a pipe") { fcntl(reader.raw, F_SETFD, FD_CLOEXEC) }
        var child = pid_t()
        do {
            let writer = Descriptor(owning: ends[1])
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, writer.raw, 1)
            posix_spawn_file_actions_addclose(&actions, writer.raw)
            var arguments = words.map { strdup($0) } + [nil]
            defer { for argument in arguments { free(argument) } }
            let code = posix_spawnp(&child, words[0], &actions, nil, &arguments, environ)
            guard code == 0 else { throw SystemError("start", words[0], code: code) }
        }
        // Read to the end before waiting: a full pipe would keep the child from exiting.
        let output = Result { () throws(SystemError) in try reader.readToEnd(limit: limit) }
        var status: Int32 = 0
        try checked("wait for", words[0]) { waitpid(child, &status, 0) }
        return (status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f), try output.get())
    }
}
