// SPDX-License-Identifier: Apache-2.0

/// How many virtual functions some physical ones are to have, as an operator says it: `ens1f*=8` or `0000:3b:00.0=4`.
package struct FunctionRule: Hashable, Sendable {
    /// An interface's name or a PCI address, with * for any characters.
    package var pattern: String
    package var count: Int

    package struct Malformed: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    package init(parsing text: String) throws(Malformed) {
        guard let end = text.lastIndex(of: "="), end != text.startIndex, let count = Int(text[text.index(after: end)...]),
            (0...4096).contains(count)
        else {
            throw Malformed(
                description: "\"\(text)\" is not INTERFACE=COUNT or ADDRESS=COUNT, such as ens1f*=8 or 0000:3b:00.0=4")
        }
        pattern = String(text[..<end])
        self.count = count
    }

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
