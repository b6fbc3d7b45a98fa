// SPDX-License-Identifier: Apache-2.0

package import Primitives

/// An operator's rule for the number of virtual functions of physical functions: `ens1f*=8` or `0000:3b:00.0=4`.
package struct FunctionRule: Hashable, Sendable {
    /// An interface's name or a PCI address; * matches any characters.
    package var pattern: String
    package var count: Int

    private static let counts = 0...4096

    /// Reads `PATTERN=COUNT`.
    package init(parsing text: String) throws(InputError) {
        func error(_ code: InputError.Code) -> InputError {
            InputError(
                code, "\"\(text)\"", "not INTERFACE=COUNT or ADDRESS=COUNT with a count up to \(Self.counts.upperBound)",
                advice: "rules are texts such as ens1f*=8 or 0000:3b:00.0=4")
        }
        guard let end = text.lastIndex(of: "="), end != text.startIndex, let count = Int(text[text.index(after: end)...]) else {
            throw error(.malformed)
        }
        guard Self.counts.contains(count) else { throw error(.outOfBounds) }
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
