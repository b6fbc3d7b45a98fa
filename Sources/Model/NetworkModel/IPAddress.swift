// SPDX-License-Identifier: Apache-2.0

import var Glibc.AF_INET
import var Glibc.AF_INET6
import func Glibc.inet_ntop
import func Glibc.inet_pton
import Primitives
import typealias Glibc.socklen_t

/// An IPv4 or IPv6 address.
package struct IPAddress: Hashable, Sendable {
    /// 4 or 16 bytes in network order.
    package let bytes: [UInt8]

    /// Makes an address of exactly 4 or 16 bytes.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = [UInt8](bytes)
    }

    /// Parses dotted decimal or RFC 4291 text.
    package init?(parsing text: some StringProtocol) {
        let isV6 = text.utf8.contains(UInt8(ascii: ":"))
        var bytes = [UInt8](repeating: 0, count: isV6 ? 16 : 4)
        // SAFETY: inet_pton writes 4 bytes for AF_INET, and 16 for AF_INET6, the size of the array.
        guard unsafe inet_pton(isV6 ? AF_INET6 : AF_INET, String(text), &bytes) == 1 else { return nil }
        self.bytes = bytes
    }

    /// Makes an address of 4 or 16 bytes.
    fileprivate init(_ bytes: [UInt8]) { self.bytes = bytes }

    package static let anyV4 = IPAddress([0, 0, 0, 0])
    package static let broadcastV4 = IPAddress([255, 255, 255, 255])

    package var isV6: Bool { bytes.count == 16 }
    package var bitCount: Int { bytes.count * 8 }

    /// True for fe80::/10 (RFC 4291) and 169.254.0.0/16 (RFC 3927).
    package var isLinkLocal: Bool {
        isV6 ? bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 : bytes[0] == 169 && bytes[1] == 254
    }
}

extension IPAddress: CustomStringConvertible {
    /// The canonical form of RFC 5952, at most 45 characters.
    package var description: String {
        var text = [CChar](repeating: 0, count: 46)
        // SAFETY: inet_ntop reads 4 or 16 bytes by the family, the size of the array, and writes at most the given size.
        guard unsafe inet_ntop(isV6 ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(zeroTerminated: text)
    }
}

/// An address with the length of its network part: `10.0.0.5/24`.
package struct IPPrefix: Hashable, Sendable {
    package var address: IPAddress
    package var length: Int

    package init(address: IPAddress, length: Int) {
        self.address = address
        self.length = length
    }

    /// Parses `address/length`.
    package init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(parsing: first) else { return nil }
        guard parts.count == 2, parts[1].utf8.allSatisfy(\.isASCIIDigit),
            let length = Int(parts[1]), length <= address.bitCount
        else { return nil }
        self.init(address: address, length: length)
    }

    /// True if all host bits are zero, as in the destination of a route.
    package var isNetwork: Bool {
        address.bytes.indices.allSatisfy { index in
            let kept = min(8, max(0, length - index * 8))
            return address.bytes[index] & UInt8(truncatingIfNeeded: 0xff >> kept) == 0
        }
    }

    /// The prefix with all host bits zero.
    package var network: IPPrefix {
        let bytes = address.bytes.enumerated().map { index, byte in
            byte & ~UInt8(truncatingIfNeeded: 0xff >> min(8, max(0, length - index * 8)))
        }
        return IPPrefix(address: IPAddress(bytes), length: length)
    }

    /// True if the address is in this prefix's network.
    package func contains(_ other: IPAddress) -> Bool {
        guard other.isV6 == address.isV6 else { return false }
        return address.bytes.indices.allSatisfy { index in
            let kept = min(8, max(0, length - index * 8))
            let mask = ~UInt8(truncatingIfNeeded: 0xff >> kept)
            return address.bytes[index] & mask == other.bytes[index] & mask
        }
    }

    /// True if the networks overlap: one of them contains the other.
    package func overlaps(_ other: IPPrefix) -> Bool {
        length <= other.length ? contains(other.address) : other.contains(address)
    }

    /// True if this network contains the other one.
    package func contains(_ other: IPPrefix) -> Bool { length <= other.length && contains(other.address) }
}

extension IPPrefix: CustomStringConvertible {
    package var description: String { "\(address)/\(length)" }
}

extension IPPrefix: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let prefix = IPPrefix(parsing: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not an address with a prefix length such as 10.0.0.5/24")
        }
        self = prefix
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension IPAddress: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = IPAddress(parsing: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\"\(text)\" is not an IP address")
        }
        self = address
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
