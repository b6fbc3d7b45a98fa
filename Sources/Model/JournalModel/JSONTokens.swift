// SPDX-License-Identifier: Apache-2.0

/// The parts of a JSON text in their order (RFC 8259), read in one pass without copies and without recursion.
///
/// It is no parser: `JSONDecoder` decides whether the grammar is kept. It bounds what the decoder is given, and tells whether two texts
/// say the same in the same order.
struct JSONTokens {
    /// Objects and lists within each other; the deepest that the journal has is 8.
    static let depthLimit = 16

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Throws: when the text is nested too deeply, or ends within a string.
    static func check(_ bytes: [UInt8]) throws(JournalTextError) {
        var tokens = JSONTokens(bytes)
        while try tokens.next() != nil {}
    }

    /// True when the texts differ in white space at most.
    static func areAlike(_ first: [UInt8], _ second: [UInt8]) throws(JournalTextError) -> Bool {
        if first == second { return true }
        var (one, other) = (JSONTokens(first), JSONTokens(second))
        while true {
            let (token, expected) = (try one.next(), try other.next())
            guard let token, let expected else { return token == nil && expected == nil }
            guard one.bytes[token].elementsEqual(other.bytes[expected]) else { return false }
        }
    }

    /// The place of the next string with its quotes, number, word or punctuation; nil at the end.
    private mutating func next() throws(JournalTextError) -> Range<Int>? {
        while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
        guard position < bytes.count else { return nil }
        let start = position
        position += 1
        switch bytes[start] {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            depth += 1
            guard depth <= Self.depthLimit else { throw JournalTextError("is nested more than \(Self.depthLimit) deep") }
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        case UInt8(ascii: ":"), UInt8(ascii: ","): break
        case UInt8(ascii: "\""):
            while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
            }
            guard position < bytes.count else { throw JournalTextError("ends within a string") }
            position += 1
        default: while position < bytes.count, Self.isPlain(bytes[position]) { position += 1 }
        }
        return start..<position
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ":"), UInt8(ascii: ","),
            UInt8(ascii: "\""):
            false
        default: !isSpace(byte)
        }
    }
}
