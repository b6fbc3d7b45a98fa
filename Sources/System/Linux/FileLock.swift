// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Locks between processes, which are held until the descriptor is closed or the process ends.
package enum FileLock {
    /// Waits for a lock.
    ///
    /// - Parameters:
    ///   - key: one of any number of locks in the file, such as the UID of an object; nil for the lock of the file itself, which is
    ///     independent of the others.
    ///   - interval: the delay between attempts, because a blocking wait for a lock would need a thread.
    ///   - timeout: nil to wait forever.
    ///   - notice: called once if another process has the lock.
    /// - Throws: ``SystemError`` with `EWOULDBLOCK` after the time-out; `CancellationError`.
    package static func wait(
        _ path: String, key: String? = nil, interval: Duration = .milliseconds(200), timeout: Duration? = nil, notice: () -> Void = {}
    ) async throws -> Descriptor {
        let file = try open(path)
        let end = timeout.map { ContinuousClock.now + $0 }
        var isWaiting = false
        while try !(key.map { try tryLock(file, key: $0) } ?? file.tryLock()) {
            if !isWaiting { notice() }
            isWaiting = true
            if let end, ContinuousClock.now >= end { throw SystemError("lock", path, code: EWOULDBLOCK) }
            try await Task.sleep(for: interval)
        }
        return file
    }

    /// Opens or creates the file of a lock.
    package static func open(_ path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, flags: O_RDWR | O_CREAT | O_CLOEXEC, mode: 0o600)
    }

    /// Takes the lock of a key; returns false if another descriptor has it, in this process or another one.
    ///
    /// The lock covers one byte of the file, which stays empty, so that keys leave no files behind. Keys with equal hashes share a lock.
    package static func tryLock(_ file: Descriptor, key: String) throws(SystemError) -> Bool {
        // A lock of the open file description (fcntl_locking(2)).
        var range = flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: offset(of: key), l_len: 1, l_pid: 0)
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        if unsafe fcntl(file.raw, setOpenFileLock, &range) == 0 { return true }
        if Glibc.errno == EAGAIN || Glibc.errno == EACCES { return false }
        throw SystemError("lock", "descriptor \(file.raw)")
    }

    /// F_OFD_SETLK (asm-generic/fcntl.h), which the C library declares only with _GNU_SOURCE.
    private static let setOpenFileLock: Int32 = 37

    /// FNV-1a with 64 bits, without the sign and the last offset: equal in all processes.
    private static func offset(of key: String) -> Int {
        let hash = key.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return Int(hash >> 2)
    }
}
