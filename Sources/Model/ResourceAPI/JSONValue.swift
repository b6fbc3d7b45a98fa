// SPDX-License-Identifier: Apache-2.0

import Primitives

/// A JSON value of any shape, such as parameters of other drivers.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer above the largest `Int64`.
    case unsigned(UInt64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    /// Name of the type for messages, with its article.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .unsigned: "an integer"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }

    package subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }
}

extension JSONValue {
    /// Parses a whole text in time that is linear in its size.
    package init(parsing bytes: some Sequence<UInt8>, limits: JSONLimits = .document) throws(JSONError) {
        var reader = try JSONReader(Array(bytes), limits: limits)
        self = try reader.value()
        try reader.finish()
    }

    /// The value as JSON text, with members sorted by name. A number that is not finite becomes null.
    package var text: [UInt8] {
        var text: [UInt8] = []
        write(to: &text)
        return text
    }

    private func write(to text: inout [UInt8]) {
        switch self {
        case .null: text += Array("null".utf8)
        case .bool(let value): text += Array((value ? "true" : "false").utf8)
        case .integer(let value): text += Array(String(value).utf8)
        case .unsigned(let value): text += Array(String(value).utf8)
        case .number(let value): text += Array((value.isFinite ? value.description : "null").utf8)
        case .string(let value): Self.write(value, to: &text)
        case .array(let values):
            text.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                value.write(to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let members):
            text.append(UInt8(ascii: "{"))
            for (index, (name, value)) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                Self.write(name, to: &text)
                text.append(UInt8(ascii: ":"))
                value.write(to: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    private static func write(_ string: String, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            case 0x08: text += Array(#"\b"#.utf8)
            case 0x09: text += Array(#"\t"#.utf8)
            case 0x0a: text += Array(#"\n"#.utf8)
            case 0x0c: text += Array(#"\f"#.utf8)
            case 0x0d: text += Array(#"\r"#.utf8)
            case 0..<0x20: text += Array("\\u\(Hex.text(byte, width: 4))".utf8)
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}

/// Encodes the value as part of other values. Only ``JSONReader`` decodes it, because a decoder would have to guess the type of each
/// value.
extension JSONValue: Encodable {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .unsigned(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}
