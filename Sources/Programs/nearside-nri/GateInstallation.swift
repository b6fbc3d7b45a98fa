// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux

/// Copies `nearside-gate` onto the host, because the container runtime executes hooks in the host's mount namespace.
///
/// Only an init container does this. No later container can write to the folder.
enum GateInstallation {
    struct Failure: Error, CustomStringConvertible {
        enum Code: String, Sendable {
            /// The path of this program is unknown.
            case noSource
            /// The gate was executed, but its self-test failed.
            case selfTest
            /// The host's file system is mounted noexec.
            case noExec
            /// The gate could not be executed for another reason.
            case notExecuted
        }

        var code: Code
        /// Path of the gate.
        var object: String
        var cause: String
        var description: String { "\(object) \(cause)" }
    }

    /// Copies the gate into the folder, and executes its self-test there.
    ///
    /// - Throws: ``Failure`` if the host cannot execute the gate, and errors of writing the file.
    static func install(in folder: String) throws {
        guard let own = Files.resolve("/proc/self/exe"), let slash = own.lastIndex(of: "/") else {
            throw Failure(code: .noSource, object: "nearside-gate", cause: "cannot be installed: /proc/self/exe cannot be read")
        }
        let gate = try Files.read(own[..<slash] + "/nearside-gate", limit: 64 << 20)
        let path = folder + "/nearside-gate"
        try Files.makeFolder(folder)
        try Files.replace(path, with: gate, mode: 0o755)
        let status: Int32
        do throws(SystemError) { status = try Command.run([path, "--self-test"]).status } catch {
            guard isNoExec(folder) else { throw Failure(code: .notExecuted, object: path, cause: "cannot be executed: \(error)") }
            throw Failure(
                code: .noExec, object: path,
                cause:
                    "cannot be executed: \(folder) is on a file system that is mounted noexec, so that no container with a claim could start; set another folder in --install-gate here and in --gate of nearside-nri"
            )
        }
        guard status == 0 else {
            throw Failure(
                code: .selfTest, object: path,
                cause: "--self-test ended with status \(status): the image's nearside-gate does not run on this host")
        }
    }

    private static func isNoExec(_ folder: String) -> Bool {
        var status = statvfs()
        // ST_NOEXEC of bits/statvfs.h, which Swift does not import.
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        return unsafe statvfs(folder, &status) == 0 && status.f_flag & 8 != 0
    }
}
