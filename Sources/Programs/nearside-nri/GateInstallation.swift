// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux

/// Puts `nearside-gate` onto the host, where the container runtime starts it and this container's files are not.
///
/// An init container does this, and nothing that runs later can write to the folder.
enum GateInstallation {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// - Throws: ``Failure`` when the gate is in its place and the host would not execute it.
    static func install(in folder: String) throws {
        guard let own = Files.resolve("/proc/self/exe"), let slash = own.lastIndex(of: "/") else {
            throw Failure(description: "nearside-gate cannot be installed: /proc/self/exe cannot be read")
        }
        let gate = try Files.read(own[..<slash] + "/nearside-gate", limit: 64 << 20)
        let path = folder + "/nearside-gate"
        try Files.makeFolder(folder)
        try Files.replace(path, with: gate, mode: 0o755)
        switch try status(of: [path, "--self-test"]) {
        case .success(0): return
        case .success(let status):
            throw Failure(
                description: "\(path) --self-test ended with status \(status): the image's nearside-gate does not run on this host")
        case .failure where isNoExec(folder):
            throw Failure(
                description:
                    "\(path) cannot be executed: \(folder) is on a file system that is mounted noexec, and no container of a claim would start. Name a folder of the host that is not, with --install-gate here and --gate for nearside-nri"
            )
        case .failure(let error): throw Failure(description: "\(path) cannot be executed: \(error)")
        }
    }

    private static func isNoExec(_ folder: String) -> Bool {
        var status = statvfs()
        // ST_NOEXEC of bits/statvfs.h, which Swift does not see.
        return statvfs(folder, &status) == 0 && status.f_flag & 8 != 0
    }

    /// Runs a program to its end; the exit status, or -1 when a signal ended it.
    private static func status(of command: [String]) throws -> Result<Int32, SystemError> {
        var words = command.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var child = pid_t()
        let code = posix_spawn(&child, command[0], nil, nil, &words, environ)
        guard code == 0 else { return .failure(SystemError("execute", command[0], code: code)) }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 {
            guard errno == EINTR else { throw SystemError("wait for", command[0]) }
        }
        return .success(status & 0x7f == 0 ? status >> 8 & 0xff : -1)
    }
}
