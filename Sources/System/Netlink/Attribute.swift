// SPDX-License-Identifier: Apache-2.0

import CLinux
import NetworkModel

/// A netlink attribute: a type and a value.
///
///      0       2       4
///     +-------+-------+---------------- - -+---------+
///     | len   | type  | value (len - 4)    | to 4    |
///     +-------+-------+---------------- - -+---------+
///
/// Source: linux/netlink.h, struct nlattr. The top bits of the type are flags (nested, byte order).
package struct Attribute: Hashable, Sendable {
    package var type: UInt16
    package var value: ArraySlice<UInt8>

    /// Reads a block of attributes; nil for the whole block if a length is invalid, because a partial
    /// message must not be used.
    package static func list(_ bytes: ArraySlice<UInt8>) -> [Attribute]? {
        var attributes: [Attribute] = []
        return each(bytes) { attributes.append($0) } ? attributes : nil
    }

    /// Passes each attribute of a block to the closure; false if a length is invalid.
    package static func each(_ bytes: ArraySlice<UInt8>, _ body: (Attribute) -> Void) -> Bool {
        var reader = ByteReader(bytes)
        while reader.remaining >= 4 {
            guard let length = reader.integer(UInt16.self), let type = reader.integer(UInt16.self),
                length >= 4, let value = reader.take(Int(length) - 4)
            else { return false }
            body(Attribute(type: type & 0x3fff, value: value))
            // The last attribute of a block may have no padding.
            _ = reader.skip(min(reader.remaining, (4 - Int(length) % 4) % 4))
        }
        return true
    }

    /// The value as an integer in the host's byte order; nil if it is too short.
    package func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
        var reader = ByteReader(value)
        return reader.integer(type)
    }

    /// The text without its terminator.
    package var text: String {
        String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// The nested attributes; nil if they are malformed.
    package var nested: [Attribute]? { Attribute.list(value) }

    /// The bytes on the wire, with padding.
    var bytes: [UInt8] {
        var builder = MessageBuilder()
        builder.attribute(Int(type), value)
        return builder.body
    }
}

extension [Attribute] {
    package subscript(type type: Int) -> Attribute? {
        first { Int($0.type) == type }
    }
}

/// Builds a netlink message from its family header and attributes. Lengths are filled in at the end.
package struct MessageBuilder: Sendable {
    package private(set) var body: [UInt8]

    package init(_ body: [UInt8] = []) {
        self.body = body
    }

    /// Appends an integer in the host's byte order.
    package mutating func integer(_ value: some FixedWidthInteger) {
        body += value.hostBytes
    }

    /// Appends an attribute with these bytes.
    package mutating func attribute(_ type: Int, _ value: some Sequence<UInt8>) {
        let start = body.count
        body += [0, 0]
        integer(UInt16(truncatingIfNeeded: type))
        body += value
        close(start)
    }

    /// Appends an attribute with an integer.
    package mutating func attribute(_ type: Int, integer value: some FixedWidthInteger) {
        attribute(type, value.hostBytes)
    }

    /// Appends an attribute with a terminated text.
    package mutating func attribute(_ type: Int, text: String) {
        attribute(type, Array(text.utf8) + [0])
    }

    /// Appends an attribute with the nested attributes of the closure.
    package mutating func nested(_ type: Int, _ build: (inout MessageBuilder) -> Void) {
        let start = body.count
        body += [0, 0]
        integer(UInt16(truncatingIfNeeded: type) | UInt16(NLA_F_NESTED))
        build(&self)
        close(start)
    }

    /// Appends encoded attributes.
    mutating func raw(_ bytes: [UInt8]) { body += bytes }

    private mutating func close(_ start: Int) {
        let length = UInt16(truncatingIfNeeded: body.count - start)
        body.put(length, at: start)
        body += [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
    }
}
