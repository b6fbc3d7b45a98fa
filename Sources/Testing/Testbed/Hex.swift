// SPDX-License-Identifier: Apache-2.0

/// Bytes from hexadecimal text. Ignores blanks and line ends; `//` begins a comment.
package func hex(_ text: String) -> [UInt8] {
    let digits = text.split(separator: "\n").map { line in
        line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line[...]
    }.joined().filter { $0.isHexDigit }
    let characters = Array(digits)
    return stride(from: 0, to: characters.count - 1, by: 2).compactMap {
        UInt8(String(characters[$0...$0 + 1]), radix: 16)
    }
}
