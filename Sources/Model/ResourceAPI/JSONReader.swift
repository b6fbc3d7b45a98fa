// SPDX-License-Identifier: Apache-2.0

import Primitives

/// A syntax error or an exceeded limit in JSON text.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error.
    package enum Code: String, Hashable, Sendable {
        /// The text, its nesting or the number of its values exceeds a limit.
        case tooLarge, tooDeep, tooManyValues
        /// The text is not JSON.
        case syntax
        /// A value does not have the type that the caller needs.
        case wrongType
        /// A string is not UTF-8, or has an escape without a character.
        case notUnicode
        case outOfRange, duplicateKey
        /// Text follows the end of the value.
        case trailingText
    }

    package var code: Code
    /// Offset of the error in bytes from the start of the text.
    package var offset: Int
    package var cause: String

    package var description: String { "byte \(offset): \(cause)" }
}

/// Limits on the size and the shape of a JSON text.
package struct JSONLimits: Hashable, Sendable {
    package var bytes: Int
    /// Nesting of lists and objects. Skipped values do not count.
    package var depth: Int
    /// Total number of members and elements. Skipped values do not count.
    package var values: Int
    /// True to take the last of two members with the same name; otherwise they are an error.
    package var allowsDuplicates: Bool

    package init(bytes: Int, depth: Int, values: Int, allowsDuplicates: Bool = false) {
        self.bytes = bytes
        self.depth = depth
        self.values = values
        self.allowsDuplicates = allowsDuplicates
    }

    /// Limits for an object of the API server, which accepts requests of 3 MiB (k8s.io/apiserver, MaxRequestBodyBytes).
    package static let object = JSONLimits(bytes: 3 << 20, depth: 32, values: 1 << 17)
    /// Limits for a file of an operator, or for a list of objects.
    package static let document = JSONLimits(bytes: 1 << 30, depth: 256, values: 1 << 25)
}

/// A pull parser for JSON text (RFC 8259): one pass, in linear time.
///
/// The caller requests the type that it expects next; ``skip()`` skips a value of any depth without recursion.
package struct JSONReader: Sendable {
    private let bytes: [UInt8]
    private let limits: JSONLimits
    private var index = 0
    private var depth = 0
    private var values = 0

    package init(_ bytes: [UInt8], limits: JSONLimits) throws(JSONError) {
        self.bytes = bytes
        self.limits = limits
        if bytes.count > limits.bytes {
            throw JSONError(
                code: .tooLarge, offset: limits.bytes, cause: "the text has \(bytes.count) bytes; at most \(limits.bytes) are read")
        }
    }

    private func failure(_ cause: String, _ code: JSONError.Code = .syntax) -> JSONError {
        JSONError(code: code, offset: index, cause: cause)
    }

    /// Throws if text follows the value.
    package mutating func finish() throws(JSONError) {
        if !isAtEnd() { throw failure("text follows the end of the value", .trailingText) }
    }

    /// Returns true if only white space remains.
    package mutating func isAtEnd() -> Bool { next() == nil }

    /// Skips white space and returns the first byte of the next token, without consuming it.
    private mutating func next() -> UInt8? {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0a, 0x0d: index += 1
            default: return bytes[index]
            }
        }
        return nil
    }

    private mutating func takes(_ byte: Unicode.Scalar) -> Bool {
        guard next() == UInt8(ascii: byte) else { return false }
        index += 1
        return true
    }

    private mutating func takes(word: String) -> Bool {
        guard next() == word.utf8.first, bytes[index...].starts(with: word.utf8) else { return false }
        index += word.utf8.count
        return true
    }

    // MARK: Lists and objects

    private mutating func open() throws(JSONError) {
        depth += 1
        if depth > limits.depth { throw failure("lists and objects are nested more than \(limits.depth) deep", .tooDeep) }
    }

    private mutating func count() throws(JSONError) {
        values += 1
        if values > limits.values { throw failure("there are more than \(limits.values) values", .tooManyValues) }
    }

    /// Reads an object. The body has to read or skip the value of each member.
    package mutating func members(_ body: (inout JSONReader, String) throws(JSONError) -> Void) throws(JSONError) {
        guard takes("{") else { throw failure("an object is expected", .wrongType) }
        try open()
        if !takes("}") {
            repeat {
                try count()
                let name = try string()
                guard takes(":") else { throw failure("a colon is expected") }
                try body(&self, name)
            } while takes(",")
            guard takes("}") else { throw failure("a comma or the end of the object is expected") }
        }
        depth -= 1
    }

    /// Reads a list. The body has to read or skip each element.
    package mutating func elements(_ body: (inout JSONReader) throws(JSONError) -> Void) throws(JSONError) {
        guard takes("[") else { throw failure("a list is expected", .wrongType) }
        try open()
        if !takes("]") {
            repeat {
                try count()
                try body(&self)
            } while takes(",")
            guard takes("]") else { throw failure("a comma or the end of the list is expected") }
        }
        depth -= 1
    }

    // MARK: Values

    /// Consumes the next value if it is null, and returns true then.
    package mutating func isNull() -> Bool { takes(word: "null") }

    /// Reads a boolean.
    package mutating func bool() throws(JSONError) -> Bool {
        if takes(word: "true") { return true }
        if takes(word: "false") { return false }
        throw failure("true or false is expected", .wrongType)
    }

    /// Reads a string, which has to be UTF-8, and decodes its escapes.
    package mutating func string() throws(JSONError) -> String {
        guard takes("\"") else { throw failure("a string is expected", .wrongType) }
        let start = index
        while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\"), bytes[index] >= 0x20 {
            index += 1
        }
        var escaped: [UInt8]?
        if index < bytes.count, bytes[index] == UInt8(ascii: "\\") {
            var text = Array(bytes[start..<index])
            while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] >= 0x20 {
                let byte = bytes[index]
                index += 1
                if byte == UInt8(ascii: "\\") { text += Array(String(try escape()).utf8) } else { text.append(byte) }
            }
            escaped = text
        }
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw failure("the string does not end") }
        let text = escaped.map { String(validating: $0, as: UTF8.self) } ?? String(validating: bytes[start..<index], as: UTF8.self)
        guard let text else { throw failure("the string is not UTF-8", .notUnicode) }
        index += 1
        return text
    }

    /// Decodes the escape sequence after a backslash.
    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        guard index < bytes.count else { throw failure("the string does not end") }
        index += 1
        switch bytes[index - 1] {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw failure("the escape is not known")
        }
        let first = try codeUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xd800..<0xdc00).contains(first), index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { throw failure("the escape is half of a pair of surrogates", .notUnicode) }
        index += 2
        let second = try codeUnit()
        guard (0xdc00..<0xe000).contains(second), let scalar = Unicode.Scalar((first - 0xd800) << 10 + (second - 0xdc00) + 0x10000)
        else { throw failure("the escape is half of a pair of surrogates", .notUnicode) }
        return scalar
    }

    private mutating func codeUnit() throws(JSONError) -> UInt32 {
        guard index + 4 <= bytes.count, bytes[index..<index + 4].allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let number = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
        else { throw failure("four hexadecimal digits are expected") }
        index += 4
        return number
    }

    /// Reads a number: an integer if it fits into 64 bits, otherwise a double.
    private mutating func number() throws(JSONError) -> JSONValue {
        let start = index
        func digits() -> Bool {
            let first = index
            while index < bytes.count, bytes[index].isASCIIDigit { index += 1 }
            return index > first
        }
        func takesOne(of characters: [Unicode.Scalar]) -> Bool {
            guard index < bytes.count, characters.contains(where: { UInt8(ascii: $0) == bytes[index] }) else { return false }
            index += 1
            return true
        }
        _ = takesOne(of: ["-"])
        let whole = index
        guard digits(), index - whole == 1 || bytes[whole] != 0x30 else { throw failure("a value is expected") }
        var isInteger = true
        if takesOne(of: ["."]) {
            isInteger = false
            if !digits() { throw failure("a digit is expected") }
        }
        if takesOne(of: ["e", "E"]) {
            isInteger = false
            _ = takesOne(of: ["+", "-"])
            if !digits() { throw failure("a digit is expected") }
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        if isInteger, let value = UInt64(text) { return .unsigned(value) }
        guard let value = Double(text), value.isFinite else { throw failure("the number is out of range", .outOfRange) }
        return .number(value)
    }

    /// Reads a value of any type completely.
    package mutating func value() throws(JSONError) -> JSONValue {
        switch next() {
        case UInt8(ascii: "{"):
            var result: [String: JSONValue] = [:]
            try members { (reader, name) throws(JSONError) in
                let value = try reader.value()
                if result.updateValue(value, forKey: name) != nil, !reader.limits.allowsDuplicates {
                    throw reader.failure("the object has two members with the same name", .duplicateKey)
                }
            }
            return .object(result)
        case UInt8(ascii: "["):
            var result: [JSONValue] = []
            try elements { (reader) throws(JSONError) in result.append(try reader.value()) }
            return .array(result)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try bool())
        case UInt8(ascii: "n"):
            if isNull() { return .null }
            throw failure("a value is expected")
        default: return try number()
        }
    }

    /// Skips a value, and returns its text. Checks only brackets and quotes, so that the value may have any depth and any number, which
    /// ``value()`` would refuse.
    package mutating func skip() throws(JSONError) -> ArraySlice<UInt8> {
        var start: Int?
        var ends: [UInt8] = []
        repeat {
            guard let byte = next() else { throw failure("the text ends within a value") }
            if start == nil { start = index }
            index += 1
            switch byte {
            case UInt8(ascii: "{"): ends.append(UInt8(ascii: "}"))
            case UInt8(ascii: "["): ends.append(UInt8(ascii: "]"))
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if ends.popLast() != byte { throw failure("a closing bracket has no opening bracket") }
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                if ends.isEmpty { throw failure("a value is expected") }
            case UInt8(ascii: "\""):
                while index < bytes.count, bytes[index] != UInt8(ascii: "\"") { index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1 }
                guard index < bytes.count else { throw failure("the string does not end") }
                index += 1
            default:
                // A number or a literal.
                while index < bytes.count, !Self.endsWord(bytes[index]) { index += 1 }
            }
        } while !ends.isEmpty
        return bytes[(start ?? index)..<index]
    }

    private static func endsWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x09, 0x0a, 0x0d, 0x22, 0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d: true
        default: false
        }
    }
}
