// SPDX-License-Identifier: Apache-2.0

/// The place of a PCI function: `domain:bus:device.function`, as in `0000:8a:00.0`.
///
/// Domains have 32 bits: VMD and some hypervisors number them above `ffff`, and sysfs then prints
/// more than four digits.
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

    /// Reads the form that sysfs uses for folder names; nil for anything else.
    package init?(parsing text: some StringProtocol) {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 3, (4...8).contains(fields[0].utf8.count), fields[1].utf8.count == 2,
            let domain = Self.hexadecimal(fields[0]), let bus = Self.hexadecimal(fields[1])
        else { return nil }
        let slot = fields[2].split(separator: ".", omittingEmptySubsequences: false)
        guard slot.count == 2, slot[0].utf8.count == 2, slot[1].utf8.count == 1,
            let device = Self.hexadecimal(slot[0]), device < 32,
            let function = Self.hexadecimal(slot[1]), function < 8
        else { return nil }
        self.init(
            domain: domain,
            bus: UInt8(truncatingIfNeeded: bus),
            device: UInt8(truncatingIfNeeded: device),
            function: UInt8(truncatingIfNeeded: function))
    }

    private static func hexadecimal(_ text: Substring.SubSequence) -> UInt32? {
        // UInt32(_:radix:) takes a sign, which is not part of an address.
        text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66) }
            ? UInt32(text, radix: 16) : nil
    }

    private static func hexadecimal(_ text: some StringProtocol) -> UInt32? {
        hexadecimal(Substring(text))
    }
}

extension PCIAddress: CustomStringConvertible {
    package var description: String {
        "\(padded(domain, 4)):\(padded(bus, 2)):\(padded(device, 2)).\(function)"
    }

    private func padded(_ value: some BinaryInteger, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

/// The bus order: the order in which firmware and kernels enumerate, and the tie breaker wherever
/// two choices are equally good.
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
                in: container, debugDescription: "\"\(text)\" is no PCI address such as 0000:8a:00.0")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
