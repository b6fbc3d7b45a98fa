// SPDX-License-Identifier: Apache-2.0

/// Mutates valid lines of the protocol between the daemons and the gate: drops, duplicates, exchanges, stretches and replaces words, cuts
/// and joins lines, and changes single bytes.
package struct LineMutator<Random: RandomNumberGenerator> {
    package var random: Random

    package init(_ random: Random) { self.random = random }

    private static var words: [String] {
        [
            "", "ok", "error", "status", "publish", "release", "admit", "alive", "ready", "pod", "-1", "0", "18446744073709551616", ".",
            "..",
            "/", "../../etc/passwd", "a/b", "a,b", ",", "%n", "\u{0}", "\t", "\r", "\u{e9}", "\u{202e}", "{}", "\"", "'", "$(id)", "*",
        ]
    }
    private static var lengths: [Int] {
        [1, 63, 64, 65, 127, 128, 129, 253, 254, 255, 256, 257, 1023, 1024, 1025, 4095, 4096, 4097, 70_000]
    }

    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }

    /// Mutates a line one to three times, and usually appends its end.
    ///
    /// - Parameter line: a valid line, without its end.
    package mutating func mutate(_ line: String) -> [UInt8] {
        var words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        for _ in 0...number(0..<3) { change(&words) }
        var bytes = Array(words.joined(separator: " ").utf8)
        switch number(0..<12) {
        case 0 where !bytes.isEmpty: bytes[number(0..<bytes.count)] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes = Array(bytes.prefix(number(0..<(bytes.count + 1))))
        case 2: bytes += [0x0d]
        case 3: bytes += [0x0a] + Array(line.utf8)
        case 4: return bytes
        default: break
        }
        return bytes + [0x0a]
    }

    private mutating func change(_ words: inout [String]) {
        let place = number(0..<max(1, words.count))
        guard words.indices.contains(place) else { return words.append(Self.words[number(0..<Self.words.count)]) }
        switch number(0..<8) {
        case 0: words.remove(at: place)
        case 1: words.insert(words[place], at: place)
        case 2: words.swapAt(place, number(0..<words.count))
        case 3: words[place] = String(repeating: "x", count: Self.lengths[number(0..<Self.lengths.count)])
        case 4: words[place] = words[place].uppercased()
        case 5: words[place] += Self.words[number(0..<Self.words.count)]
        case 6: words = (0..<[2, 40, 2000][number(0..<3)]).flatMap { _ in words.prefix(8) }
        default: words[place] = Self.words[number(0..<Self.words.count)]
        }
    }
}
