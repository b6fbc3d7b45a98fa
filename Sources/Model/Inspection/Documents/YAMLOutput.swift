// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import ResourceAPI

/// A document as YAML 1.2: the values of its JSON in block style. Every string is quoted as in JSON, which is valid YAML (YAML 1.2.2,
/// section 7.3.1), so no value can have another type.
package enum YAMLOutput {
    /// Encodes a document.
    package static func text(_ document: some Encodable) throws -> String {
        let value = try JSONValue(parsing: JSONEncoder().encode(document))
        return try lines(value).joined(separator: "\n") + "\n"
    }

    private static func lines(_ value: JSONValue) throws -> [String] {
        switch value {
        case .object(let members) where !members.isEmpty:
            return try members.sorted { (rank($0.key), $0.key) < (rank($1.key), $1.key) }.flatMap { key, value in
                let name = isPlain(key) ? key : try scalar(.string(key))
                return try isBlock(value) ? ["\(name):"] + indented(lines(value), "  ") : ["\(name): \(scalar(value))"]
            }
        case .array(let elements) where !elements.isEmpty:
            return try elements.flatMap { element in
                let inner = try lines(element)
                return ["- \(inner[0])"] + indented(Array(inner.dropFirst()), "  ")
            }
        default: return [try scalar(value)]
        }
    }

    /// Returns the position of a key: the type and metadata of an object come first, as in every manifest.
    private static func rank(_ key: String) -> Int {
        ["apiVersion", "kind", "metadata", "name", "requests"].firstIndex(of: key) ?? 9
    }

    private static func indented(_ lines: [String], _ indent: String) -> [String] { lines.map { indent + $0 } }

    private static func isBlock(_ value: JSONValue) -> Bool {
        switch value {
        case .object(let members): !members.isEmpty
        case .array(let elements): !elements.isEmpty
        default: false
        }
    }

    /// Returns true for a key that YAML cannot interpret as another type.
    private static func isPlain(_ key: String) -> Bool {
        guard let first = key.first, first.isASCII, first.isLetter else { return false }
        return key.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
            && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(key.lowercased())
    }

    private static func scalar(_ value: JSONValue) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        // A list with one element, because some encoders refuse a string at the top level.
        let text = String(decoding: try encoder.encode([value]), as: UTF8.self)
        return String(text.dropFirst().dropLast())
    }
}
