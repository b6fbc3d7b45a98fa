// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware
import Linux
import Primitives

/// Reads the files of one host, for one snapshot, on one thread.
final class Sysfs {
    let root: HostRoot
    /// Dropped values with the reason: one line each.
    private(set) var warnings: [String] = []

    /// The first failure for want of descriptors or memory: what was read since is not the whole host.
    private(set) var shortage: SystemError?

    /// A limit, so that a broken host cannot flood the log.
    private static let mostWarnings = 64

    /// The buffer for all files. The kernel's files with one value fit a page; longer files are truncated.
    fileprivate var buffer = [UInt8](repeating: 0, count: 4096)

    init(_ root: HostRoot) { self.root = root }

    func warn(_ text: @autoclosure () -> String) {
        if warnings.count < Self.mostWarnings { warnings.append(text()) }
    }

    /// The folder at a path below the root; nil if it does not exist.
    func folder(_ path: String) -> SysfsFolder? {
        do throws(SystemError) { return SysfsFolder(handle: try FolderHandle(root(path)), path: path, sysfs: self) } catch {
            note(error)
            return nil
        }
    }

    /// The names in a folder below the root; empty if it cannot be read.
    func list(_ path: String) -> [String] { value { () throws(SystemError) in try Files.names(in: root(path)) } ?? [] }

    /// The lines of a file below the root; empty if it cannot be read.
    func lines(_ path: String) -> [Substring] {
        value { () throws(SystemError) in try Files.readText(root(path)) }?.split(separator: "\n") ?? []
    }

    private func value<Value>(_ body: () throws(SystemError) -> Value) -> Value? {
        do throws(SystemError) { return try body() } catch {
            note(error)
            return nil
        }
    }

    /// Remembers an error that says nothing about the host.
    fileprivate func note(_ error: SystemError) {
        if shortage == nil, [EMFILE, ENFILE, ENOMEM].contains(error.code) { shortage = error }
    }
}

/// A folder of sysfs or procfs, with values by name.
///
/// An absent value is nil. An invalid value is nil with a warning, and never guessed.
struct SysfsFolder: ~Copyable {
    private let handle: FolderHandle
    /// The path below the root.
    let path: String
    private let sysfs: Sysfs

    init(handle: consuming FolderHandle, path: String, sysfs: Sysfs) {
        self.handle = handle
        self.path = path
        self.sysfs = sysfs
    }

    /// Reads a value with a closure that returns nil for invalid bytes. The bytes are in the reader's only buffer, so the
    /// closure must not read other files.
    func parse<Value>(_ name: String, _ body: (ArraySlice<UInt8>) -> Value?) -> Value? {
        let count = read(name)
        guard count >= 0 else {
            // The value is absent, refused by the driver (EINVAL, ENODEV, EOPNOTSUPP), or not permitted: unknown.
            if count == -Int(EIO) { sysfs.warn("\(path)/\(name) cannot be read; the value is skipped") }
            return nil
        }
        let bytes = sysfs.buffer[..<count].trimmed
        // Drivers print nothing for an unknown value.
        guard !bytes.isEmpty else { return nil }
        guard let value = body(bytes) else {
            sysfs.warn("\(path)/\(name) is invalid; the value is skipped")
            return nil
        }
        return value
    }

    /// Reads a file into the reader's buffer.
    ///
    /// - Returns: the number of bytes, or the negative errno.
    private func read(_ name: String) -> Int {
        let count = handle.read(name, into: &sysfs.buffer)
        if count < 0 { sysfs.note(SystemError("read", "\(path)/\(name)", code: Int32(-count))) }
        return count
    }

    /// True if the file or folder exists.
    func exists(_ name: String) -> Bool { handle.exists(name) }

    /// The first line as text.
    func text(_ name: String) -> String? {
        let count = read(name)
        return count <= 0 ? nil : sysfs.buffer[..<count].trimmed.firstLine
    }

    func integer(_ name: String, in range: ClosedRange<Int> = 0...Int.max) -> Int? {
        parse(name) { $0.integer.flatMap { range.contains($0) ? $0 : nil } }
    }

    /// Hexadecimal digits after `0x`, in lower case: `10de`.
    func id(_ name: String, digits: Int) -> String? {
        parse(name) { bytes in
            guard bytes.count == digits + 2, bytes.starts(with: "0x".utf8) else { return nil }
            return bytes.dropFirst(2).hexadecimal(digits: digits)
        }
    }

    /// The last component of a symbolic link's target.
    func linkName(_ name: String) -> String? {
        withTarget(of: name) { bytes in
            String(decoding: bytes.lastComponent, as: UTF8.self)
        }
    }

    /// Passes the target of a symbolic link to the closure; nil for any other kind of file.
    func withTarget<Value>(of name: String, _ body: (ArraySlice<UInt8>) -> Value) -> Value? {
        let count = handle.readTarget(name, into: &sysfs.buffer)
        return count < 0 ? nil : body(sysfs.buffer[..<count])
    }

    /// The function that is the target of a symbolic link.
    func linkedFunction(_ name: String) -> PCIAddress? {
        withTarget(of: name) { bytes in
            PCIAddress(bytes: bytes.lastComponent.span)
        } ?? nil
    }

    /// A device node from the `major:minor` of a `dev` file.
    func node(_ name: String, at path: String) -> CharDevice? {
        parse(name) { bytes in
            let parts = bytes.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let major = parts[0].integer, let minor = parts[1].integer,
                // 12 and 20 bits (linux/kdev_t.h).
                (0..<1 << 12).contains(major), (0..<1 << 20).contains(minor)
            else { return nil }
            return CharDevice(path: path, major: UInt32(major), minor: UInt32(minor))
        }
    }
}

extension ArraySlice<UInt8> {
    /// The bytes without surrounding blanks and line ends.
    fileprivate var trimmed: Self {
        var (start, end) = (startIndex, endIndex)
        while end > start, self[end - 1] <= UInt8(ascii: " ") { end -= 1 }
        while start < end, self[start] <= UInt8(ascii: " ") { start += 1 }
        return self[start..<end]
    }

    /// The bytes after the last slash.
    fileprivate var lastComponent: Self { self[(lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? startIndex)...] }

    /// The bytes after a prefix; nil if the prefix is missing.
    func dropping(_ prefix: String) -> Self? { starts(with: prefix.utf8) ? dropFirst(prefix.utf8.count) : nil }

    /// Text up to the end of the line; nil if it is empty.
    var firstLine: String? {
        let line = prefix { $0 != UInt8(ascii: "\n") && $0 != 0 }
        return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
    }

    /// The value as a decimal integer.
    var integer: Int? {
        let isNegative = first == UInt8(ascii: "-")
        let digits = isNegative ? dropFirst() : self[...]
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value = 0
        for byte in digits {
            guard byte.isASCIIDigit else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return isNegative ? -value : value
    }

    /// The leading number: `16.0` of `16.0 GT/s PCIe`; nil without one.
    var leadingNumber: Double? {
        var (whole, scale, digits) = (0, 1, 0)
        var hasPoint = false
        for byte in self {
            if byte == UInt8(ascii: "."), !hasPoint {
                hasPoint = true
                continue
            }
            guard byte.isASCIIDigit else { break }
            digits += 1
            guard digits <= 12 else { return nil }
            whole = whole * 10 + Int(byte - UInt8(ascii: "0"))
            if hasPoint { scale *= 10 }
        }
        return digits == 0 ? nil : Double(whole) / Double(scale)
    }

    /// The value as hexadecimal digits of exactly this number, in lower case.
    func hexadecimal(digits: Int) -> String? {
        guard count == digits, allSatisfy({ Hex.value(of: $0) != nil }) else { return nil }
        return String(decoding: self, as: UTF8.self).lowercased()
    }
}
