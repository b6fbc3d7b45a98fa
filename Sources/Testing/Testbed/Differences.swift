// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
package import Hardware

/// The differences of two machines, one line each, at most ten, because a whole machine in the text of a failed
/// expectation is unreadable.
package func differences(_ found: Machine, _ wanted: Machine) throws -> [String] {
    func lines(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    var differences: [String] = []
    let addresses = Set(found.functions.map(\.address)).union(wanted.functions.map(\.address)).sorted()
    for address in addresses where found[address] != wanted[address] {
        differences.append("found \(try lines(found[address])) instead of \(try lines(wanted[address]))")
    }
    var (left, right) = (found, wanted)
    left.functions = []
    right.functions = []
    if left != right { differences.append("found \(try lines(left)) instead of \(try lines(right))") }
    return Array(differences.prefix(10))
}
