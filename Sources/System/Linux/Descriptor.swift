// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

/// An open file descriptor, which is closed with the last reference to it.
///
/// A class and not a noncopyable struct, because descriptors are held in arrays for polling, in copied values (``NetworkNamespace``), and
/// by closures of other threads.
package final class Descriptor: Sendable {
    /// The number, which is valid during the lifetime of this object.
    package let raw: Int32

    /// Takes ownership of a descriptor.
    package init(owning raw: Int32) {
        self.raw = raw
    }

    deinit {
        close(raw)
    }

    /// Opens a file, close-on-exec.
    ///
    /// - Parameters:
    ///   - flags: flags of open(2), without O_CLOEXEC.
    ///   - mode: the permissions of a created file.
    package static func open(_ path: String, flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
        Descriptor(owning: try checked("open", path) { unsafe CLinux_open(path, flags, mode) })
    }

    /// Creates a pipe whose ends are non-blocking and close-on-exec.
    package static func pipe() throws(SystemError) -> (reading: Descriptor, writing: Descriptor) {
        let (reading, writing) = try unsafe pair("pipe") { unsafe Glibc.pipe($0) }
        for end in [reading, writing] {
            try checked("set the flags", "pipe") { fcntl(end.raw, F_SETFD, FD_CLOEXEC) }
            try end.setNonBlocking()
        }
        return (reading, writing)
    }

    /// Makes the two descriptors that a call writes to its argument.
    static func pair(
        _ object: String, _ make: (UnsafeMutablePointer<Int32>) -> Int32
    ) throws(SystemError) -> (Descriptor, Descriptor) {
        var ends: [Int32] = [-1, -1]
        // SAFETY: the array has room for both, and lives as long as the call.
        try checked("make", object) { unsafe make(&ends) }
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    /// Duplicates a descriptor that others close, such as standard error; close-on-exec.
    package static func duplicate(_ raw: Int32) throws(SystemError) -> Descriptor {
        Descriptor(owning: try checked("duplicate", "descriptor \(raw)") { fcntl(raw, F_DUPFD_CLOEXEC, 0) })
    }

    /// Sets an option of a socket (setsockopt(2)).
    package func set<Value: BitwiseCopyable>(_ option: Int32, of level: Int32 = SOL_SOCKET, to value: Value) throws(SystemError) {
        var value = value
        // SAFETY: the kernel copies as many bytes as the value has.
        try checked("set option \(option)", "socket") { unsafe setsockopt(raw, level, option, &value, socklen_t(MemoryLayout<Value>.size)) }
    }

    /// Reads once, at most `limit` bytes; empty at the end.
    package func read(atMost limit: Int = 65536) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            // SAFETY: the buffer has room for `limit` bytes, and read(2) returns the number of initialised bytes.
            do throws(SystemError) {
                count = try checked("read", "descriptor \(raw)") {
                    unsafe Glibc.read(raw, buffer.baseAddress, limit)
                }
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Reads to the end.
    ///
    /// - Throws: ``SystemError`` with EFBIG for more than `limit` bytes.
    package func readToEnd(limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let part = try read(atMost: 4096 + bytes.count)
            if part.isEmpty { return bytes }
            bytes += part
            if bytes.count > limit { throw SystemError("read", "descriptor \(raw)", code: EFBIG) }
        }
    }

    /// Writes all bytes, with as many calls as necessary.
    package func write(all bytes: [UInt8]) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            sent += try checked("write", "descriptor \(raw)") {
                // SAFETY: `sent` is less than the number of bytes, and the pointer does not outlive the closure.
                unsafe bytes.withUnsafeBytes { unsafe Glibc.write(raw, $0.baseAddress.map { unsafe $0 + sent }, bytes.count - sent) }
            }
        }
    }

    /// Makes calls that would wait fail with EAGAIN.
    private func setNonBlocking() throws(SystemError) {
        let flags = try checked("read the flags", "descriptor \(raw)") { fcntl(raw, F_GETFL) }
        try checked("set the flags", "descriptor \(raw)") { fcntl(raw, F_SETFL, flags | O_NONBLOCK) }
    }

    /// The status of the file (fstat(2)).
    func status() throws(SystemError) -> stat {
        var status = stat()
        // SAFETY: the call fills in the structure, and keeps no pointer.
        try checked("stat", "descriptor \(raw)") { unsafe fstat(raw, &status) }
        return status
    }

    /// The device and inode, which are equal for two descriptors of one file or namespace.
    package func identity() throws(SystemError) -> FileIdentity {
        let status = try status()
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// Takes an exclusive lock on the open file (flock(2)), which is held until the descriptor is closed. Returns false if another
    /// process holds the lock.
    package func tryLock() throws(SystemError) -> Bool {
        if flock(raw, LOCK_EX | LOCK_NB) == 0 { return true }
        if Glibc.errno == EWOULDBLOCK { return false }
        throw SystemError("lock", "descriptor \(raw)")
    }
}

/// A file and the time of its last change, which together are unique.
package struct FileStamp: Hashable, Sendable {
    package var file: FileIdentity
    package var seconds: Int
    package var nanoseconds: Int
}
