// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import NetworkModel

/// File operations by path.
package enum Files {
    /// Reads a whole file.
    ///
    /// - Throws: ``SystemError`` with EFBIG for more than `limit` bytes.
    package static func read(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
        // Non-blocking, so that a pipe in the file's place cannot block the caller.
        let file = try Descriptor.open(path, flags: O_RDONLY | O_NONBLOCK)
        do throws(SystemError) { return try file.readToEnd(limit: limit) } catch {
            throw SystemError("read", path, code: error.code)
        }
    }

    /// Reads a whole file as UTF-8. Invalid bytes become U+FFFD.
    package static func readText(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> String {
        String(decoding: try read(path, limit: limit), as: UTF8.self)
    }

    /// Returns the identity of the file at the path, following symbolic links. It includes the time of the last change, because the
    /// kernel reuses inode numbers.
    package static func stamp(_ path: String) throws(SystemError) -> FileStamp {
        let status = try status(path)
        return FileStamp(
            file: FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)), seconds: Int(status.st_ctim.tv_sec),
            nanoseconds: Int(status.st_ctim.tv_nsec))
    }

    /// Returns the size in bytes of the file at the path, without following a symbolic link; nil if it does not exist.
    package static func size(_ path: String) -> Int? {
        (try? status(path, followsLink: false)).map { Int($0.st_size) }
    }

    /// The status of the file at the path (stat(2)).
    static func status(_ path: String, followsLink: Bool = true) throws(SystemError) -> stat {
        var status = stat()
        try checked("stat", path) { unsafe fstatat(AT_FDCWD, path, &status, followsLink ? 0 : AT_SYMLINK_NOFOLLOW) }
        return status
    }

    /// True if there is a file at the path, following symbolic links.
    package static func exists(_ path: String) -> Bool {
        unsafe access(path, F_OK) == 0
    }

    /// Returns the names in a folder, sorted; empty if the folder cannot be read.
    package static func list(_ path: String) -> [String] { (try? names(in: path)) ?? [] }

    /// Returns the names in a folder, sorted.
    package static func names(in path: String) throws(SystemError) -> [String] {
        guard let folder = unsafe opendir(path) else { throw SystemError("open", path, code: errno) }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            // SAFETY: d_name is terminated within the entry, which is valid until the next readdir(3) of this folder.
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Returns the target of a symbolic link; nil for any other file.
    package static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        // SAFETY: readlink(2) writes at most the given size.
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe CLinux_readlink(path, $0.baseAddress, $0.count) }
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// Returns the path with all symbolic links resolved; nil if there is no file.
    package static func resolve(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// Creates a folder and its parents.
    package static func makeFolder(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
        if unsafe mkdir(path, mode) == 0 || Glibc.errno == EEXIST { return }
        guard Glibc.errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw SystemError("make folder", path)
        }
        try makeFolder(String(path[..<slash]), mode: mode)
        if unsafe mkdir(path, mode) != 0, Glibc.errno != EEXIST { throw SystemError("make folder", path) }
    }

    /// Replaces a file atomically: readers see the old or the new content, also after a power failure.
    ///
    /// The name of the temporary file begins with a dot and has no known suffix, so that watchers of the folder (CDI caches) ignore it.
    ///
    /// - Parameter isDurable: true to flush the file to the disk before returning.
    package static func replace(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o644, isDurable: Bool = true
    ) throws(SystemError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        // Process numbers are not unique between PID namespaces.
        let random = String(UInt64.random(in: .min ... .max), radix: 16)
        let temporary = "\(folder)/.\(name).\(random)"
        let file = try Descriptor.open(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: mode)
        do throws(SystemError) {
            try file.write(all: bytes)
            if isDurable { try checked("flush", temporary) { fsync(file.raw) } }
            try checked("rename from \(temporary)", path) { unsafe rename(temporary, path) }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        if isDurable { try flush(folder) }
    }

    /// Flushes a file, or the names in a folder, to the disk.
    package static func flush(_ path: String) throws(SystemError) {
        let file = try Descriptor.open(path, flags: O_RDONLY)
        try checked("flush", path) { fsync(file.raw) }
    }

    /// Writes a file, and creates or truncates it first.
    package static func write(_ path: String, _ text: String) throws(SystemError) {
        try write(path, [UInt8](text.utf8))
    }

    /// Writes a file, and creates or truncates it first.
    package static func write(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let file = try Descriptor.open(path, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try file.write(all: bytes)
    }

    /// Writes to an existing file with one call, for a setting of the kernel.
    package static func overwrite(_ path: String, _ text: String) throws(SystemError) {
        let file = try Descriptor.open(path, flags: O_WRONLY)
        do throws(SystemError) { try file.write(all: [UInt8](text.utf8)) } catch {
            throw SystemError("write \"\(text)\"", path, code: error.code)
        }
    }

    /// Creates a symbolic link.
    package static func makeLink(_ path: String, to target: String) throws(SystemError) {
        try checked("link", path) { unsafe symlink(target, path) }
    }

    /// Removes a file, if it exists.
    package static func remove(_ path: String) throws(SystemError) {
        if unsafe unlink(path) != 0, Glibc.errno != ENOENT { throw SystemError("remove", path) }
    }
}
