// SPDX-License-Identifier: Apache-2.0

/// Bytes that are hexadecimal text in JSON, of lower-case digits.
package struct HexBytes: Hashable, Sendable, Codable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let digits = Array(try container.decode(String.self).utf8)
        bytes = []
        bytes.reserveCapacity(digits.count / 2)
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard place + 1 < digits.count, let high = Self.value(digits[place]), let low = Self.value(digits[place + 1]) else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "is no text of hexadecimal digits")
            }
            bytes.append(high << 4 | low)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        let digits = Array("0123456789abcdef".utf8)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        try container.encode(String(decoding: text, as: UTF8.self))
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
