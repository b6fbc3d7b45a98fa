// SPDX-License-Identifier: Apache-2.0

import Primitives

/// A link-layer address: 6 bytes for Ethernet, 20 for IP over InfiniBand.
package struct HardwareAddress: Hashable, Sendable {
    package let bytes: [UInt8]

    package init(bytes: some Sequence<UInt8>) {
        self.bytes = [UInt8](bytes)
    }

    /// Parses 6 to 20 bytes of two hexadecimal digits each, with colons between them.
    package init?(parsing text: some StringProtocol, sizes: ClosedRange<Int> = 6...20) {
        let digits = Array(text.utf8)
        // "aa:bb:cc": three characters for each byte except the last.
        guard digits.count % 3 == 2, sizes.contains((digits.count + 1) / 3) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity((digits.count + 1) / 3)
        for start in stride(from: 0, to: digits.count, by: 3) {
            guard let high = Hex.value(of: digits[start]), let low = Hex.value(of: digits[start + 1]),
                start + 2 == digits.count || digits[start + 2] == UInt8(ascii: ":")
            else { return nil }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }
}

extension HardwareAddress: CustomStringConvertible {
    package var description: String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 3)
        for byte in bytes { text += [Hex.digit(byte >> 4), Hex.digit(byte & 15), UInt8(ascii: ":")] }
        return String(decoding: text.dropLast(), as: UTF8.self)
    }
}

extension HardwareAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = HardwareAddress(parsing: text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "\"\(text)\" is not a hardware address such as 02:00:00:00:00:01")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
