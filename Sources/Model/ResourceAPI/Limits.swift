// SPDX-License-Identifier: Apache-2.0

import Primitives

/// Limits of the API (k8s.io/api/resource/v1, types.go), and functions that keep texts and attributes within them.
///
/// One value that exceeds a limit makes the API server refuse a whole slice, so that every published value is checked here first.
package enum Limits {
    package static let devicesPerSlice = 128
    /// Number of devices in a slice in which any device consumes counters or has taints.
    package static let heavyDevicesPerSlice = 64
    package static let countersPerSet = 32
    package static let attributesPerDevice = 32
    package static let attributeBytes = 64
    package static let deviceNameBytes = 63
    package static let driverNameBytes = 63

    /// Returns the text, truncated at a character boundary to the size of an attribute.
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

    /// Returns the reason why the API server would refuse an attribute; nil for a valid one.
    package static func problem(_ name: String, _ value: DeviceAttribute) -> String? {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, !isDriverName(String(parts[0])) { return "\"\(parts[0])\" is not a DNS subdomain" }
        let identifier = parts[parts.count - 1]
        let isIdentifier = identifier.utf8.allSatisfy { byte in
            byte == 0x5f || byte.isASCIIAlphanumeric
        }
        guard isIdentifier, let first = identifier.utf8.first, !first.isASCIIDigit, identifier.utf8.count <= 32 else {
            return "\"\(identifier)\" is not a C identifier of at most 32 characters"
        }
        switch value {
        case .int, .bool: return nil
        case .string(let text): return text.utf8.count <= attributeBytes ? nil : "the value has more than \(attributeBytes) bytes"
        case .version(let text): return isSemanticVersion(text) ? nil : "\"\(text)\" is not a semantic version"
        case .other: return "the value is missing"
        }
    }

    /// Returns true for a version such as `1.2.3`, with an optional pre-release and build (semver.org 2.0.0).
    static func isSemanticVersion(_ text: String) -> Bool {
        guard text.utf8.count <= attributeBytes else { return false }
        let build = text.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        let release = build[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        func isNumber(_ part: Substring) -> Bool {
            !part.isEmpty && part.utf8.allSatisfy(\.isASCIIDigit) && (part.utf8.count == 1 || part.utf8.first != 0x30)
        }
        func isIdentifier(_ part: Substring) -> Bool {
            !part.isEmpty
                && part.utf8.allSatisfy {
                    $0.isASCIIAlphanumeric || $0 == 0x2d
                }
        }
        let numbers = release[0].split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 3, numbers.allSatisfy(isNumber) else { return false }
        if release.count == 2 {
            let parts = release[1].split(separator: ".", omittingEmptySubsequences: false)
            guard parts.allSatisfy({ isIdentifier($0) && (isNumber($0) || !$0.utf8.allSatisfy(\.isASCIIDigit)) }) else {
                return false
            }
        }
        return build.count == 1 || build[1].split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isIdentifier)
    }

    /// Returns a DNS label for any name: lower case, other characters as dashes, outer dashes removed, at most 63 bytes.
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

    /// Returns the name of a PCI function in slices and plans: `pci-0000-8a-00-0`.
    package static func deviceName(ofPCIFunction address: String) -> String { label("pci-\(address)") }

    /// Returns true for a DNS label (RFC 1123).
    package static func isLabel(_ text: String) -> Bool { label(text) == text }

    /// Returns true for a driver name: a DNS subdomain (RFC 1123) of at most 63 bytes.
    package static func isDriverName(_ text: String) -> Bool {
        guard text.utf8.count <= driverNameBytes else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
            guard let first = part.utf8.first, let last = part.utf8.last else { return false }
            return first.isASCIILowercaseAlphanumeric && last.isASCIILowercaseAlphanumeric
                && part.utf8.allSatisfy { $0.isASCIILowercaseAlphanumeric || $0 == 0x2d }
        }
    }
}
