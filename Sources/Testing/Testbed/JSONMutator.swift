// SPDX-License-Identifier: Apache-2.0

/// Mutates a valid JSON text: drops, duplicates, exchanges, replaces and nests its values.
package struct JSONMutator {
    private var state: UInt64
    private let replacements: [String]

    /// - Parameters:
    ///   - seed: an equal seed gives equal texts.
    ///   - values: JSON values with a meaning for the reader, in addition to generally hostile values.
    package init(seed: UInt64, values: [String] = []) {
        state = seed | 1
        replacements = Self.hostile + values
    }

    private mutating func next(below bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(max(1, bound)))
    }

    private static let hostile = [
        "-1", "0", "1", "255", "256", "65535", "65536", "4294967295", "4294967296", "-9223372036854775808", "9223372036854775807",
        "18446744073709551616", "1e999", "1.5", "null", "true", "[]", "{}", "\"\"", "\"..\"", "\"../../../../etc/passwd\"", "\"/\"",
        "\"a/b\"", "\"-r\"", "\"x%d\"", "\"lo\"", "\"all\"", "\"\\u0000\"", "\"\\ud800\"", "\"a\\nb\"", "\"0.0.0.0/0\"", "\"::/0\"",
        "\"ipv4/conf/../../x\"", "nul", "\"", "{", "]",
    ]

    /// A text with one to three changes.
    package mutating func mutate(_ text: String) -> String {
        var tokens = Self.tokens(text)
        for _ in 0...next(below: 3) { change(&tokens) }
        return tokens.joined()
    }

    private mutating func change(_ tokens: inout [String]) {
        let values = Self.values(tokens)
        guard let span = values.isEmpty ? nil : values[next(below: values.count)] else { return }
        let hasKey = span.lowerBound >= 2 && tokens[span.lowerBound - 1] == ":"
        switch next(below: 10) {
        case 0: tokens.replaceSubrange(span, with: ["\"" + String(repeating: "x", count: [16, 64, 300, 70_000][next(below: 4)]) + "\""])
        case 1:
            let depth = [5, 15, 40, 3000][next(below: 4)]
            tokens.replaceSubrange(span, with: [String(repeating: "[", count: depth) + String(repeating: "]", count: depth)])
        case 2 where hasKey:
            // Together with the key and a comma, if there is one.
            let end = span.upperBound < tokens.count && tokens[span.upperBound] == "," ? span.upperBound + 1 : span.upperBound
            tokens.removeSubrange((span.lowerBound - 2)..<end)
        case 3 where hasKey:
            tokens.insert(contentsOf: tokens[(span.lowerBound - 2)..<span.upperBound] + [","], at: span.lowerBound - 2)
        case 4 where hasKey: tokens.insert(contentsOf: ["\"unknown\"", ":", "1", ","], at: span.lowerBound - 2)
        case 5 where hasKey: tokens[span.lowerBound - 2] = "\"other\""
        case 6:
            let other = values[next(below: values.count)]
            tokens.replaceSubrange(span, with: Array(tokens[other]))
        case 7 where tokens[span.lowerBound] == "[" && span.count > 2:
            // Repeats the entries of the list.
            let entries = Array(tokens[span].dropFirst().dropLast())
            let many = (0..<[2, 40, 300][next(below: 3)]).flatMap { $0 == 0 ? entries : [","] + entries }
            tokens.replaceSubrange(span, with: ["["] + many + ["]"])
        default: tokens.replaceSubrange(span, with: [replacements[next(below: replacements.count)]])
        }
        // Bounds the size of the text.
        if tokens.count > 100_000 { tokens.removeLast(tokens.count - 100_000) }
    }

    private static func tokens(_ text: String) -> [String] {
        var tokens: [String] = []
        var current = ""
        var isString = false
        var isEscaped = false
        for character in text {
            if isString {
                current.append(character)
                if isEscaped {
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    isString = false
                    tokens.append(current)
                    current = ""
                }
            } else if "{}[]:,\"".contains(character) {
                if !current.isEmpty { tokens.append(current) }
                current = ""
                isString = character == "\""
                if isString { current = "\"" } else { tokens.append(String(character)) }
            } else {
                current.append(character)
            }
        }
        return current.isEmpty ? tokens : tokens + [current]
    }

    /// The ranges of all values.
    private static func values(_ tokens: [String]) -> [Range<Int>] {
        var spans: [Range<Int>] = []
        var open: [Int] = []
        for (index, token) in tokens.enumerated() {
            switch token {
            case "{", "[": open.append(index)
            case "}", "]": if let start = open.popLast() { spans.append(start..<(index + 1)) }
            case ":", ",": break
            default: if index + 1 >= tokens.count || tokens[index + 1] != ":" { spans.append(index..<(index + 1)) }
            }
        }
        return spans
    }
}
