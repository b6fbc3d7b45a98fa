// SPDX-License-Identifier: Apache-2.0

import Primitives

/// The address of a PCI function: `domain:bus:device.function`, such as `0000:8a:00.0`.
///
/// Domains have 32 bits: VMD and some hypervisors use numbers above `ffff`, for which sysfs prints more than four digits.
package struct PCIAddress: Hashable, Sendable {
    package var domain: UInt32
    package var bus: UInt8
    package var device: UInt8
    package var function: UInt8

    package init(domain: UInt32, bus: UInt8, device: UInt8, function: UInt8) {
        self.domain = domain
        self.bus = bus
        self.device = device
        self.function = function
    }

    /// Parses the form of folder names in sysfs; nil for other texts.
    package init?(parsing text: some StringProtocol) {
        self.init(bytes: String(text).utf8.span)
    }

    /// Parses bytes without a copy: a large host has thousands of such names in the targets of links.
    package init?(bytes: Span<UInt8>) {
        // Domain of four to eight digits, then ":bb:dd.f".
        guard (12...16).contains(bytes.count) else { return nil }
        let end = bytes.count
        guard bytes[end - 8] == UInt8(ascii: ":"), bytes[end - 5] == UInt8(ascii: ":"), bytes[end - 2] == UInt8(ascii: "."),
            let domain = Self.hexadecimal(bytes, 0, end - 8), let bus = Self.hexadecimal(bytes, end - 7, end - 5),
            let device = Self.hexadecimal(bytes, end - 4, end - 2), device < 32,
            let function = Self.hexadecimal(bytes, end - 1, end), function < 8
        else { return nil }
        self.init(domain: domain, bus: UInt8(bus), device: UInt8(device), function: UInt8(function))
    }

    private static func hexadecimal(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> UInt32? {
        var value: UInt32 = 0
        for position in start..<end {
            guard let digit = Hex.value(of: bytes[position]) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

extension PCIAddress: CustomStringConvertible {
    package var description: String {
        "\(Hex.text(domain, width: 4)):\(Hex.text(bus, width: 2)):\(Hex.text(device, width: 2)).\(function)"
    }
}

/// Orders addresses by bus: the enumeration order of firmware and kernel, and the tie breaker between equally good choices.
extension PCIAddress: Comparable {
    package static func < (left: Self, right: Self) -> Bool {
        (left.domain, left.bus, left.device, left.function)
            < (right.domain, right.bus, right.device, right.function)
    }
}

extension PCIAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = PCIAddress(parsing: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not a PCI address such as 0000:8a:00.0")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
