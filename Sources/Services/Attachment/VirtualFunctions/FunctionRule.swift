// SPDX-License-Identifier: Apache-2.0

/// An operator's rule for the number of virtual functions of physical functions: `ens1f*=8` or `0000:3b:00.0=4`.
package struct FunctionRule: Hashable, Sendable {
    /// An interface's name or a PCI address; * matches any characters.
    package var pattern: String
    package var count: Int

    /// A malformed rule.
    package struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
        /// The reason why a rule is malformed.
        package enum Code: String, Sendable {
            case noPattern, noCount, countOutOfRange
        }

        package var code: Code
        package var object: String

        package var description: String {
            "\"\(object)\" is not INTERFACE=COUNT or ADDRESS=COUNT with a count up to \(FunctionRule.counts.upperBound), such as ens1f*=8 or 0000:3b:00.0=4"
        }
    }

    private static let counts = 0...4096

    /// Reads `PATTERN=COUNT`.
    package init(parsing text: String) throws(Malformed) {
        guard let end = text.lastIndex(of: "="), end != text.startIndex else { throw Malformed(code: .noPattern, object: text) }
        guard let count = Int(text[text.index(after: end)...]) else { throw Malformed(code: .noCount, object: text) }
        guard Self.counts.contains(count) else { throw Malformed(code: .countOutOfRange, object: text) }
        pattern = String(text[..<end])
        self.count = count
    }

    /// True if the pattern matches one of the names of a function.
    func matches(_ names: [String]) -> Bool {
        names.contains { Self.matches(Array($0.utf8)[...], Array(pattern.utf8)[...]) }
    }

    private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        let parts = pattern.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false)
        guard let first = parts.first, let last = parts.last, parts.count > 1 else {
            return text == pattern
        }
        guard text.starts(with: first), text.count >= first.count + last.count, text.suffix(last.count).elementsEqual(last) else {
            return false
        }
        var rest = text.dropFirst(first.count).dropLast(last.count)
        for part in parts.dropFirst().dropLast() {
            guard let start = rest.indices.first(where: { rest[$0...].starts(with: part) }) else { return false }
            rest = rest[start...].dropFirst(part.count)
        }
        return true
    }
}
