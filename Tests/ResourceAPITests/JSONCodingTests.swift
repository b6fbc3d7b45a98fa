// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import ResourceAPI
import Testing

/// A value with all kinds of fields of the journal's types.
private struct Sample: Codable, Hashable {
    enum Kind: String, Codable { case one, other }
    enum Choice: Codable, Hashable { case none, some(Int) }
    struct Part: Codable, Hashable { var name: String, size: UInt16? }

    var text = "a/b \"c\" \\ \u{8}\u{9}\u{a}\u{c}\u{d}\u{0}\u{1f}\u{7f} ä😀"
    var bool = true
    var numbers: [Int64] = [.min, -1, 0, .max]
    var large: UInt64 = .max
    var small: [Int8] = [.min, .max]
    var ratio = 0.25
    var absent: String?
    var nothing: [Part?] = [nil, Part(name: "", size: 7)]
    var kind = Kind.other
    var choices = [Choice.none, .some(3)]
    var parts: [String: [Part]] = ["b.c": [Part(name: "x", size: nil)], "a/b": []]
    var keyed: [Int: Bool] = [4: true]
    var set: Set<String> = ["only"]
}

/// A value whose members are in two nested containers.
private struct Nested: Codable, Hashable {
    enum Outer: String, CodingKey { case basic, list, first }
    enum Inner: String, CodingKey { case second }

    var first = 1
    var second = 2

    init() {}

    init(from decoder: any Decoder) throws {
        let outer = try decoder.container(keyedBy: Outer.self)
        first = try outer.decode(Int.self, forKey: .first)
        second = try outer.nestedContainer(keyedBy: Inner.self, forKey: .basic).decode(Int.self, forKey: .second)
        var list = try outer.nestedUnkeyedContainer(forKey: .list)
        var inner = try list.nestedUnkeyedContainer()
        let number = try inner.decode(Int.self)
        guard try inner.decodeNil(), inner.isAtEnd, inner.count == 2, list.isAtEnd, number == first else {
            throw DecodingError.dataCorrupted(.init(codingPath: list.codingPath, debugDescription: "another list"))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Outer.self)
        var inner = members.nestedContainer(keyedBy: Inner.self, forKey: .basic)
        try inner.encode(second, forKey: .second)
        // A second container adds to the first.
        var outer = encoder.container(keyedBy: Outer.self)
        try outer.encode(first, forKey: .first)
        var list = outer.nestedUnkeyedContainer(forKey: .list)
        var elements = list.nestedUnkeyedContainer()
        try elements.encode(first)
        try elements.encodeNil()
    }
}

struct JSONCodingTests {
    /// The text of Foundation's encoder.
    private func foundation(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(value))
    }

    private func check<Value: Codable & Hashable>(_ value: Value) throws {
        let text = try JSONValue(encoding: value).text
        #expect(try String(decoding: text, as: UTF8.self) == String(decoding: foundation(value), as: UTF8.self))
        #expect(try JSONValue(parsing: text).decoded(as: Value.self) == value)
        #expect(try JSONDecoder().decode(Value.self, from: Data(text)) == value)
    }

    @Test
    func `encoded text equals Foundation's byte for byte, and is decoded as the same value`() throws {
        try check(Sample())
        try check(Nested())
        try check([Sample?.none, Sample()])
        try check("one string")
        try check([String: Int]())
    }

    @Test(arguments: [
        (#"{"name":1}"#, "typeMismatch", "name"), (#"{"name":null}"#, "valueNotFound", "name"), ("{}", "keyNotFound", ""),
        (#"{"name":"a","size":65536}"#, "dataCorrupted", "size"), (#"{"name":"a","size":-1}"#, "dataCorrupted", "size"),
        (#"{"name":"a","size":1.5}"#, "dataCorrupted", "size"), (#"{"name":"a","size":true}"#, "typeMismatch", "size"),
        ("[]", "typeMismatch", ""), ("null", "valueNotFound", ""),
    ])
    func `a value of another type is refused with its path`(text: String, code: String, path: String) throws {
        let value = try JSONValue(parsing: text.utf8)
        let error = try #require(throws: DecodingError.self) { try value.decoded(as: Sample.Part.self) }
        let context: DecodingError.Context
        let found: String
        switch error {
        case .typeMismatch(_, let place): (found, context) = ("typeMismatch", place)
        case .valueNotFound(_, let place): (found, context) = ("valueNotFound", place)
        case .keyNotFound(_, let place): (found, context) = ("keyNotFound", place)
        case .dataCorrupted(let place): (found, context) = ("dataCorrupted", place)
        @unknown default: (found, context) = ("", .init(codingPath: [], debugDescription: ""))
        }
        #expect(found == code && context.codingPath.map(\.stringValue).joined(separator: ".") == path)
    }

    @Test
    func `an integer may be written as a number, and a list ends`() throws {
        #expect(try JSONValue(parsing: "[1.0,1e2,18446744073709551615]".utf8).decoded(as: [UInt64].self) == [1, 100, .max])
        struct Pair: Decodable {
            init(from decoder: any Decoder) throws {
                var list = try decoder.unkeyedContainer()
                _ = try (list.decode(Int.self), list.decode(Int.self))
            }
        }
        let short = try JSONValue(parsing: "[1]".utf8)
        #expect(throws: DecodingError.self) { try short.decoded(as: Pair.self) }
        #expect(throws: EncodingError.self) { try JSONValue(encoding: [Double.infinity]) }
    }

    @Test
    func `the last of two members with the same name counts only if duplicates are allowed`() throws {
        let text = #"{"a":1,"a":2}"#.utf8
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
        let limits = JSONLimits(bytes: 100, depth: 2, values: 9, allowsDuplicates: true)
        #expect(try JSONValue(parsing: text, limits: limits) == .object(["a": .integer(2)]))
    }
}
