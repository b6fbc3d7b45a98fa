// SPDX-License-Identifier: Apache-2.0

import Primitives

/// Bytes that JSON represents as lower-case hexadecimal digits.
package struct HexBytes: Hashable, Sendable, Codable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard !text.utf8.contains(where: \.isASCIIUppercase), let bytes = Hex.bytes(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "is not a text of hexadecimal digits")
        }
        self.bytes = bytes
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Hex.text(bytes))
    }
}
