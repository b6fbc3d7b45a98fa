// SPDX-License-Identifier: Apache-2.0

/// The strings, numbers, literals, brackets and braces of a JSON text in order (RFC 8259), read in one pass without copies and without
/// recursion.
///
/// It does not check the grammar, which `JSONReader` does. The tokens bound the decoder's input, and give the path of a difference
/// between two texts.
struct JSONTokens {
    struct Token {
        enum Kind { case key, value, open, close }

        var kind: Kind
        /// The bytes of the token; for a string including its quotes.
        var range: Range<Int>
    }

    /// An object or a list that is open.
    struct Frame {
        /// The first byte after the brace or bracket.
        var start: Int
        var isObject: Bool
        /// The index of the present element in a list, from 0.
        var index = -1
        /// The present key in an object.
        var key: Range<Int>?
        var expectsKey: Bool
    }

    /// The limit of nesting; the journal's own files nest 8 deep.
    static let depthLimit = 16

    let bytes: [UInt8]
    private(set) var frames: [Frame] = []
    private var position: Int

    init(_ bytes: [UInt8], from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    /// - Throws: ``JournalTextError`` with the code `tooDeep`, or `notJSON` if the text ends within a string.
    static func check(_ bytes: [UInt8]) throws(JournalTextError) {
        var tokens = JSONTokens(bytes)
        while try tokens.next() != nil {}
    }

    /// The next token; nil at the end. Skips commas and colons.
    mutating func next() throws(JournalTextError) -> Token? {
        while position < bytes.count,
            Self.isSpace(bytes[position]) || bytes[position] == UInt8(ascii: ",") || bytes[position] == UInt8(ascii: ":")
        {
            position += 1
        }
        guard position < bytes.count else { return nil }
        let start = position
        position += 1
        switch bytes[start] {
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            guard frames.count < Self.depthLimit else {
                throw JournalTextError(.tooDeep, path, "is nested more than \(Self.depthLimit) deep")
            }
            beginValue()
            let isObject = bytes[start] == UInt8(ascii: "{")
            frames.append(Frame(start: position, isObject: isObject, expectsKey: isObject))
            return Token(kind: .open, range: start..<position)
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            _ = frames.popLast()
            return Token(kind: .close, range: start..<position)
        case UInt8(ascii: "\""):
            try skipString()
            if frames.last?.expectsKey == true {
                frames[frames.count - 1].key = start..<position
                frames[frames.count - 1].expectsKey = false
                return Token(kind: .key, range: start..<position)
            }
        default: while position < bytes.count, Self.isPlain(bytes[position]) { position += 1 }
        }
        beginValue()
        return Token(kind: .value, range: start..<position)
    }

    private mutating func skipString() throws(JournalTextError) {
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard position < bytes.count else { throw JournalTextError(.notJSON, "", "ends within a string") }
        position += 1
    }

    private mutating func beginValue() {
        guard let last = frames.indices.last else { return }
        if frames[last].isObject { frames[last].expectsKey = true } else { frames[last].index += 1 }
    }

    /// The path of the last token: `devices[0].interface.mtu`.
    var path: String {
        frames.reduce(into: "") { path, frame in
            if let key = frame.key {
                path += (path.isEmpty ? "" : ".") + text(key)
            } else if frame.index >= 0 {
                path += "[\(frame.index)]"
            }
        }
    }

    /// The text of a string without its quotes, at most 64 bytes.
    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range].dropFirst().dropLast().prefix(64), as: UTF8.self) }

    /// The keys of the present object in order, with their quotes.
    func keys() throws(JournalTextError) -> [ArraySlice<UInt8>] {
        guard let frame = frames.last, frame.isObject else { return [] }
        var tokens = JSONTokens(bytes, from: frame.start)
        tokens.frames = [frame]
        tokens.frames[0].expectsKey = true
        var keys: [ArraySlice<UInt8>] = []
        while let token = try tokens.next(), !tokens.frames.isEmpty {
            if token.kind == .key, tokens.frames.count == 1 { keys.append(bytes[token.range]) }
        }
        return keys
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
