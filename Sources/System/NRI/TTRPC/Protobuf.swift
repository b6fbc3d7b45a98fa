// SPDX-License-Identifier: Apache-2.0

/// The fields of a message in the wire format of Protocol Buffers, in order.
///
/// Reads in place: a field of bytes is a slice of the message. Does not recurse: another reader reads a nested message. Callers ignore a
/// field with another wire type than defined, like an unknown field. Groups, which ttrpc and NRI do not use, are an error.
///
/// Source: protobuf.dev, "Encoding".
package struct ProtobufReader: Sendable {
    /// The value of a field, by its wire type.
    package enum Value: Sendable {
        case integer(UInt64)
        case bytes(ArraySlice<UInt8>)
        /// A number of fixed width, which no supported field has.
        case fixed
    }

    private var rest: ArraySlice<UInt8>

    package init(_ message: ArraySlice<UInt8>) { rest = message }

    /// The next field; nil at the end of the message.
    package mutating func next() throws(ProtocolError) -> (number: Int, value: Value)? {
        guard !rest.isEmpty else { return nil }
        let tag = try integer()
        guard let number = Int(exactly: tag >> 3), (1..<1 << 29).contains(number) else {
            throw ProtocolError(.invalidNumber, "field", "its number \(tag >> 3) is not valid")
        }
        switch tag & 7 {
        case 0: return (number, .integer(try integer()))
        case 1:
            _ = try take(8)
            return (number, .fixed)
        case 2: return (number, .bytes(try take(try integer())))
        case 5:
            _ = try take(4)
            return (number, .fixed)
        default: throw ProtocolError(.unknownWireType, "field \(number)", "it has the wire type \(tag & 7)")
        }
    }

    private mutating func take(_ length: UInt64) throws(ProtocolError) -> ArraySlice<UInt8> {
        guard length <= rest.count else { throw ProtocolError(.truncated, "message", "it ends within a field") }
        let part = rest.prefix(Int(length))
        rest = rest.dropFirst(part.count)
        return part
    }

    private mutating func integer() throws(ProtocolError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw ProtocolError(.truncated, "message", "it ends within a field") }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw ProtocolError(.longInteger, "integer", "it has more than 10 bytes")
    }

    /// The limit of a text in bytes: the length of a path.
    package static let textLimit = 4096

    /// Decodes a text.
    package static func text(_ bytes: ArraySlice<UInt8>) throws(ProtocolError) -> String {
        guard bytes.count <= textLimit else {
            throw ProtocolError(.longText, "text", "its \(bytes.count) bytes are more than \(textLimit)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw ProtocolError(.notUTF8, "text", "it is not UTF-8") }
        return text
    }
}

/// Writes the wire format of Protocol Buffers, fields in the order of the calls.
package struct ProtobufWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Writes a number. 0 is the default, and is omitted.
    package mutating func integer(_ number: Int, _ value: Int64) {
        guard value != 0 else { return }
        tag(number, 0)
        variable(UInt64(bitPattern: value))
    }

    /// Writes a text. The empty text is the default, and is omitted.
    package mutating func text(_ number: Int, _ value: String) {
        if !value.isEmpty { element(number, Array(value.utf8)) }
    }

    /// Writes a message or an element of a list, even if it is empty.
    package mutating func element(_ number: Int, _ value: [UInt8]) {
        tag(number, 2)
        variable(UInt64(value.count))
        bytes += value
    }

    private mutating func tag(_ number: Int, _ type: Int) { variable(UInt64(number << 3 | type)) }

    private mutating func variable(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }
}
