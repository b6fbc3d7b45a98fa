// SPDX-License-Identifier: Apache-2.0

/// A link-layer address: 6 bytes for Ethernet, 20 for IP over InfiniBand.
package struct HardwareAddress: Hashable, Sendable {
    package let bytes: [UInt8]

    package init(bytes: some Sequence<UInt8>) {
        self.bytes = [UInt8](bytes)
    }

    /// Reads two-digit hexadecimal bytes with colons between them, 6 to 20 of them.
    package init?(parsing text: some StringProtocol) {
        var bytes: [UInt8] = []
        for part in text.split(separator: ":", omittingEmptySubsequences: false) {
            guard part.utf8.count == 2, part.utf8.first != UInt8(ascii: "+"),
                part.utf8.first != UInt8(ascii: "-"), let byte = UInt8(part, radix: 16)
            else { return nil }
            bytes.append(byte)
        }
        guard (6...20).contains(bytes.count) else { return nil }
        self.bytes = bytes
    }
}

extension HardwareAddress: CustomStringConvertible {
    package var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}

extension HardwareAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = HardwareAddress(parsing: text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "\"\(text)\" is no hardware address such as 02:00:00:00:00:01")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
