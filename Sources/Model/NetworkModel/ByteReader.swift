// SPDX-License-Identifier: Apache-2.0

/// A cursor over bytes from the kernel. Each step checks the remaining length, so that no input can make it trap.
package struct ByteReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    package init(_ bytes: [UInt8]) {
        self.init(bytes[...])
    }

    package var remaining: Int { bytes.endIndex - position }

    /// Takes the next bytes; returns nil without moving if fewer are left.
    @usableFromInline package mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= remaining else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }

    /// An integer in the host's byte order, which netlink uses.
    @inlinable package mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
        guard let part = take(Value.bitWidth / 8) else { return nil }
        return Value(littleEndian: part.reversed().reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) })
    }

    /// Skips bytes; returns false if there are fewer.
    package mutating func skip(_ count: Int) -> Bool { take(count) != nil }
}

extension ByteReader {
    /// An integer in the host's byte order; nil if the bytes are too short.
    package static func integer<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int, of bytes: [UInt8]) -> Value? {
        var reader = ByteReader(bytes)
        return reader.skip(offset) ? reader.integer(type) : nil
    }
}

extension FixedWidthInteger {
    /// The bytes in the order of the host.
    @inlinable package var hostBytes: some RandomAccessCollection<UInt8> {
        (0..<Self.bitWidth / 8).lazy.map { UInt8(truncatingIfNeeded: littleEndian >> (8 * $0)) }
    }
}

extension [UInt8] {
    /// Writes an integer in the host's byte order, if there is room for it.
    package mutating func put<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        let bytes = value.hostBytes
        guard offset >= 0, offset + bytes.count <= count else { return }
        replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}
