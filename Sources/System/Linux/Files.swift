// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import NetworkModel

/// Files by path, in the few ways this project uses them.
package enum Files {
    /// The whole file, at most `limit` bytes: what is longer is refused, since a small file was expected.
    package static func read(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
        // Non-blocking: a pipe in the place of a file must not hold us up.
        let file = try Descriptor.open(path, flags: O_RDONLY | O_NONBLOCK)
        do throws(SystemError) { return try file.readToEnd(limit: limit) } catch {
            throw SystemError("read", path, code: error.code)
        }
    }

    package static func readText(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> String {
        String(decoding: try read(path, limit: limit), as: UTF8.self)
    }

    /// What is at the path, a link followed. The number of a file that was removed goes to the next one that is made, so the
    /// time of its last change belongs to it.
    package static func stamp(_ path: String) throws(SystemError) -> FileStamp {
        var status = stat()
        try checked("look at", path) { stat(path, &status) }
        return FileStamp(
            file: FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)), seconds: Int(status.st_ctim.tv_sec),
            nanoseconds: Int(status.st_ctim.tv_nsec))
    }

    /// Bytes of the file at the path, a link not followed; nil when there is none.
    package static func size(_ path: String) -> Int? {
        var status = stat()
        return lstat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    package static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// Names in a folder, sorted; empty when the folder is not there.
    package static func list(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// What a symbolic link holds; nil when it is none.
    package static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { CLinux_readlink(path, $0.baseAddress, $0.count) }
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// The path with all symbolic links followed; nil when there is nothing.
    package static func resolve(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Makes the folder and all above it.
    package static func makeFolder(_ path: String, mode: UInt32 = 0o755) throws(SystemError) {
        if mkdir(path, mode) == 0 || Glibc.errno == EEXIST { return }
        guard Glibc.errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw SystemError("make folder", path)
        }
        try makeFolder(String(path[..<slash]), mode: mode)
        if mkdir(path, mode) != 0, Glibc.errno != EEXIST { throw SystemError("make folder", path) }
    }

    /// Replaces the file as a whole: readers see the old content or the new, also after a power cut.
    ///
    /// The temporary file starts with a dot and has no known suffix, so that watchers of the folder
    /// (CDI caches) leave it alone until it has its name.
    ///
    /// - Parameter isDurable: whether it has to be on the disk when this returns.
    package static func replace(
        _ path: String, with bytes: [UInt8], mode: UInt32 = 0o644, isDurable: Bool = true
    ) throws(SystemError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        // Two programs can have one process number, each in a namespace of its own.
        let random = String(UInt64.random(in: .min ... .max), radix: 16)
        let temporary = "\(folder)/.\(name).\(random)"
        let file = try Descriptor.open(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: mode)
        do throws(SystemError) {
            try file.write(all: bytes)
            if isDurable { try checked("flush", temporary) { fsync(file.raw) } }
            try checked("rename \(temporary) to", path) { rename(temporary, path) }
        } catch {
            unlink(temporary)
            throw error
        }
        if isDurable { try flush(folder) }
    }

    /// Waits until a file, or the names in a folder, are on the disk.
    package static func flush(_ path: String) throws(SystemError) {
        let file = try Descriptor.open(path, flags: O_RDONLY)
        try checked("flush", path) { fsync(file.raw) }
    }

    package static func write(_ path: String, _ text: String) throws(SystemError) {
        try write(path, [UInt8](text.utf8))
    }

    package static func write(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let file = try Descriptor.open(path, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        try file.write(all: bytes)
    }

    /// Writes to a file that is there, in one go: a setting of the kernel.
    package static func overwrite(_ path: String, _ text: String) throws(SystemError) {
        let file = try Descriptor.open(path, flags: O_WRONLY)
        do throws(SystemError) { try file.write(all: [UInt8](text.utf8)) } catch {
            throw SystemError("write \"\(text)\" to", path, code: error.code)
        }
    }

    package static func makeLink(_ path: String, to target: String) throws(SystemError) {
        try checked("link", path) { symlink(target, path) }
    }

    /// Removes a file; fine when there is none.
    package static func remove(_ path: String) throws(SystemError) {
        if unlink(path) != 0, Glibc.errno != ENOENT { throw SystemError("remove", path) }
    }
}
