// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Testing

/// Programs that run to their end, and errors of system calls.
struct CommandTests {
    @Test
    func `output and status of a program are returned, and a signal is 128 plus its number`() throws {
        let ended = try Command.run(["sh", "-c", "printf done; exit 3"], limit: 16)
        #expect(ended.status == 3 && ended.output == Array("done".utf8))
        #expect(try Command.run(["/bin/sh", "-c", "kill -9 $$"]).status == 128 + 9)
    }

    @Test
    func `a program that does not exist, and output above the limit, are errors with their codes`() throws {
        let missing = try #require(throws: SystemError.self) { try Command.run(["/nonexistent/program"], limit: 16) }
        #expect(missing.code == ENOENT && missing.step == "start" && missing.object == "/nonexistent/program")
        #expect(missing.description == "/nonexistent/program: start: No such file or directory")
        let long = try #require(throws: SystemError.self) { try Command.run(["sh", "-c", "printf 12345"], limit: 4) }
        #expect(long.code == EFBIG)
    }
}
