// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

struct TextSearchTests {
    @Test(arguments: [
        ("", "a", false), ("a", "a", true), ("xab", "ab", true), ("xa", "ab", false), ("aab", "ab", true), ("é", "é", true),
        ("a", "", true),
    ])
    func `a text includes a part wherever it is`(text: String, part: String, expected: Bool) {
        #expect(text.includes(part) == expected)
    }

    @Test(arguments: [
        ("", "--", [""]), ("a", "--", ["a"]), ("a--b", "--", ["a", "b"]), ("--a--", "--", ["", "a", ""]), ("a---b", "--", ["a", "-b"]),
        ("a", "", ["a"]),
    ])
    func `pieces are between separators`(text: String, separator: String, pieces: [String]) {
        #expect(text.pieces(separatedBy: separator) == pieces)
    }
}
