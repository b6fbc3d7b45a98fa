// SPDX-License-Identifier: Apache-2.0

/// The search for a text in a text, byte for byte. The standard library's `contains` and `split` with a text link its engine of regular
/// expressions, a megabyte.
extension StringProtocol {
    /// True when the text has the part.
    package func includes(_ part: String) -> Bool { utf8.indices.contains { utf8[$0...].starts(with: part.utf8) } }

    /// The pieces between the occurrences of a separator, some of which may be empty.
    package func pieces(separatedBy separator: String) -> [String] {
        let (text, part) = (Array(utf8), Array(separator.utf8))
        var pieces: [String] = []
        var (start, position) = (0, 0)
        while !part.isEmpty, position + part.count <= text.count {
            if text[position..<position + part.count].elementsEqual(part) {
                pieces.append(String(decoding: text[start..<position], as: UTF8.self))
                position += part.count
                start = position
            } else {
                position += 1
            }
        }
        return pieces + [String(decoding: text[start...], as: UTF8.self)]
    }
}
