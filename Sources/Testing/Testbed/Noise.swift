// SPDX-License-Identifier: Apache-2.0

/// A random number generator with equal numbers in all runs, so that failures can be reproduced.
package struct Noise: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64 = 88_172_645_463_325_252) { state = seed }

    package mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    /// Changes some of the bytes, and possibly truncates them.
    package mutating func spoil(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...6, using: &self) {
            bytes[Int.random(in: 0..<bytes.count, using: &self)] = UInt8.random(in: 0...255, using: &self)
        }
        return Bool.random(using: &self) ? bytes : Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &self)))
    }
}
