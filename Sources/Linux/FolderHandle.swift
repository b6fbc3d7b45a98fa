// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// An open folder below which small files are read, each in one go: files of sysfs and procfs.
///
/// A path is walked once for all files of a folder, and nothing is allocated until a value is known to be
/// wanted: a large host has some ten thousand such files.
package struct FolderHandle: ~Copyable {
    private let descriptor: Int32

    /// Nil when there is no such folder, or it may not be entered.
    package init?(_ path: String) {
        descriptor = CLinux_open_folder(path)
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    /// What is longer is cut: the kernel's own files are never longer than a page.
    package static let limit = 4096

    /// Calls the closure with the content of a file, without blanks and line ends around it.
    ///
    /// - Throws: the error of opening or reading it.
    package func withContent<Value: ~Copyable>(
        of name: String, _ body: (UnsafeRawBufferPointer) -> Value
    ) throws(SystemError) -> Value {
        var code: Int32 = 0
        let value = withUnsafeTemporaryAllocation(byteCount: Self.limit, alignment: 16) { buffer -> Value? in
            let count = CLinux_read_at(descriptor, name, buffer.baseAddress, Self.limit)
            if count < 0 {
                code = Int32(-count)
                return nil
            }
            return body(Self.trimmed(UnsafeRawBufferPointer(rebasing: buffer[..<count])))
        }
        switch consume value {
        case .some(let value): return value
        case .none: throw SystemError("read", name, code: code)
        }
    }

    /// What a symbolic link holds; nil when it is none, or not there.
    package func withTarget<Value>(of name: String, _ body: (UnsafeRawBufferPointer) -> Value) -> Value? {
        withUnsafeTemporaryAllocation(byteCount: Self.limit, alignment: 16) { buffer in
            let count = CLinux_readlink_at(descriptor, name, buffer.baseAddress, Self.limit)
            return count < 0 ? nil : body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        func isBlank(_ byte: UInt8) -> Bool { byte <= UInt8(ascii: " ") }
        guard let start = bytes.firstIndex(where: { !isBlank($0) }), let end = bytes.lastIndex(where: { !isBlank($0) })
        else { return UnsafeRawBufferPointer(rebasing: bytes[..<0]) }
        return UnsafeRawBufferPointer(rebasing: bytes[start...end])
    }
}
