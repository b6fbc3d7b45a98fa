// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Primitives

/// A selector of devices by their properties: `id=15b3:1021,interface=rdma*`. All parts have to match; `*` matches any text and `?` one
/// character.
package struct Selector: Hashable, Sendable, CustomStringConvertible {
    /// A property of a device.
    package enum Key: String, Sendable, CaseIterable {
        /// PCI address: `0000:8a:00.0`.
        case address
        /// Vendor and device id: `15b3:1021`.
        case id
        case driver
        /// Name of an interface of the device.
        case interface
        /// Name of an RDMA device of the device.
        case rdma
        /// NUMA node.
        case node
    }

    private struct Part: Hashable {
        var key: Key
        var pattern: String
    }

    private var parts: [Part] = []

    package init(_ text: String) throws(InputError) {
        for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = piece.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, !halves[1].isEmpty else {
                throw InputError(
                    .malformed, "selector \"\(text)\"", "\"\(piece)\" lacks its KEY=PATTERN",
                    advice: "a selector is a text such as id=15b3:1021,interface=rdma*")
            }
            guard let key = Key(rawValue: String(halves[0])) else {
                throw InputError(
                    .unknown, "selector \"\(text)\"",
                    "\"\(halves[0])\" is unknown; keys are \(Key.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            parts.append(Part(key: key, pattern: String(halves[1])))
        }
    }

    package var description: String { parts.map { "\($0.key.rawValue)=\($0.pattern)" }.joined(separator: ",") }

    /// Returns true if all parts of the selector match the device.
    package func matches(_ device: Device) -> Bool {
        parts.allSatisfy { part in
            Self.values(part.key, device).contains { Glob.matches(part.pattern, $0) }
        }
    }

    private static func values(_ key: Key, _ device: Device) -> [String] {
        switch key {
        case .address: [device.address]
        case .id: device.function.map { ["\($0.vendor):\($0.device)"] } ?? []
        case .driver: device.function?.driver.map { [$0] } ?? []
        case .interface: device.netdevs.flatMap { [$0.name] + $0.alternativeNames }
        case .rdma: device.rdmaDevices.map(\.name)
        case .node: device.numaNode.map { [String($0)] } ?? []
        }
    }
}

/// Glob patterns with `*` and `?`.
enum Glob {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let pattern = Array(pattern.utf8)
        let text = Array(text.utf8)
        var (position, index) = (0, 0)
        // Position of the last star and the length of its match. One star suffices, because a later star can match the rest of an earlier
        // one.
        var star: (pattern: Int, text: Int)?
        while index < text.count {
            if position < pattern.count, pattern[position] == UInt8(ascii: "*") {
                star = (position, index)
                position += 1
            } else if position < pattern.count, pattern[position] == text[index] || pattern[position] == UInt8(ascii: "?") {
                position += 1
                index += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                position = last.pattern + 1
                index = last.text + 1
            } else {
                return false
            }
        }
        return pattern[position...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
