// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

/// An open file descriptor; closed when the last reference goes.
package final class Descriptor: Sendable {
    /// The number. Valid as long as this object lives.
    package let raw: Int32

    /// Takes over a descriptor that nobody else closes.
    package init(owning raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    package static func open(_ path: String, flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
        Descriptor(owning: try checked("open", path) { CLinux_open(path, flags, mode) })
    }

    /// A pipe of which neither end makes anybody wait; close-on-exec.
    package static func pipe() throws(SystemError) -> (reading: Descriptor, writing: Descriptor) {
        var ends: [Int32] = [-1, -1]
        try checked("make", "pipe") { Glibc.pipe(&ends) }
        let (reading, writing) = (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
        for end in [reading, writing] {
            try checked("set the flags of", "pipe") { fcntl(end.raw, F_SETFD, FD_CLOEXEC) }
            try end.setNonBlocking()
        }
        return (reading, writing)
    }

    /// Reads what is there, at most `limit` bytes; empty at the end.
    package func read(atMost limit: Int = 65536) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            do throws(SystemError) {
                count = try checked("read", "descriptor \(raw)") {
                    Glibc.read(raw, buffer.baseAddress, limit)
                }
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// All there is until the end; more than `limit` bytes are refused.
    package func readToEnd(limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let part = try read(atMost: 4096 + bytes.count)
            if part.isEmpty { return bytes }
            bytes += part
            if bytes.count > limit { throw SystemError("read", "descriptor \(raw)", code: EFBIG) }
        }
    }

    package func write(all bytes: [UInt8]) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            sent += try checked("write to", "descriptor \(raw)") {
                bytes.withUnsafeBytes { Glibc.write(raw, $0.baseAddress.map { $0 + sent }, bytes.count - sent) }
            }
        }
    }

    package func setNonBlocking() throws(SystemError) {
        let flags = try checked("read the flags of", "descriptor \(raw)") { fcntl(raw, F_GETFL) }
        try checked("set the flags of", "descriptor \(raw)") { fcntl(raw, F_SETFL, flags | O_NONBLOCK) }
    }

    /// Device and inode: equal for two descriptors of one file or namespace.
    package func identity() throws(SystemError) -> FileIdentity {
        var status = stat()
        try checked("look at", "descriptor \(raw)") { fstat(raw, &status) }
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// An exclusive lock on the open file, held until the descriptor is closed. False when another
    /// process holds it.
    package func tryLock() throws(SystemError) -> Bool {
        if flock(raw, LOCK_EX | LOCK_NB) == 0 { return true }
        if Glibc.errno == EWOULDBLOCK { return false }
        throw SystemError("lock", "descriptor \(raw)")
    }
}

/// A file, and when its entry was last changed: another file never has both.
package struct FileStamp: Hashable, Sendable {
    package var file: FileIdentity
    package var seconds: Int
    package var nanoseconds: Int
}
