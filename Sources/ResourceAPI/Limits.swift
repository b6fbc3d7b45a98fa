// SPDX-License-Identifier: Apache-2.0

/// Limits of the API (k8s.io/api/resource/v1, types.go) and what keeps to them.
///
/// One value that breaks a limit makes the API server refuse a whole slice, so nothing leaves this
/// process without having gone through here.
package enum Limits {
    package static let devicesPerSlice = 128
    /// In a slice in which any device has counters.
    package static let devicesWithCountersPerSlice = 64
    package static let countersPerSet = 32
    package static let attributesPerDevice = 32
    package static let attributeBytes = 64
    package static let deviceNameBytes = 63
    package static let driverNameBytes = 63

    /// The string, cut at a character boundary to what an attribute can hold.
    package static func attribute(_ text: String) -> String {
        var count = 0
        var cut = text.startIndex
        for index in text.indices {
            count += text[index].utf8.count
            if count > attributeBytes { return String(text[..<cut]) }
            cut = text.index(after: index)
        }
        return text
    }

    /// A DNS label made of any name: lower case, other characters as dashes, dashes trimmed, cut.
    package static func label(_ text: String) -> String {
        var label = ""
        for character in text.lowercased().unicodeScalars {
            let isPlain = ("a"..."z").contains(character) || ("0"..."9").contains(character)
            label.unicodeScalars.append(isPlain ? character : "-")
        }
        let start = label.drop { $0 == "-" }.prefix(deviceNameBytes)
        guard let end = start.lastIndex(where: { $0 != "-" }) else { return "x" }
        return String(start[...end])
    }

    /// A DNS subdomain as driver names must be (RFC 1123), at most 63 bytes.
    package static func isDriverName(_ text: String) -> Bool {
        guard text.utf8.count <= driverNameBytes else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
            guard let first = part.utf8.first, let last = part.utf8.last else { return false }
            let isPlain = { (byte: UInt8) in (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) }
            return isPlain(first) && isPlain(last) && part.utf8.allSatisfy { isPlain($0) || $0 == 0x2d }
        }
    }
}
