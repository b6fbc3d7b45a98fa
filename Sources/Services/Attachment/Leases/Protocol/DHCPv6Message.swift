// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// A message of DHCPv6 (RFC 8415), limited to the options of a client of one address.
package struct DHCPv6Message: Hashable, Sendable {
    /// Message types (RFC 8415 section 7.3).
    package enum Kind: UInt8, Sendable { case solicit = 1, advertise, request, confirm, renew, rebind, reply, release }

    /// Codes of options (RFC 8415 section 21).
    package enum Option {
        package static let client: UInt16 = 1
        package static let server: UInt16 = 2
        package static let association: UInt16 = 3
        package static let address: UInt16 = 5
        package static let elapsed: UInt16 = 8
        package static let status: UInt16 = 13
    }

    /// Status codes (RFC 8415 section 21.13).
    package static let success: UInt16 = 0

    /// A non-temporary address with its preferred and valid lifetimes in seconds.
    package struct Address: Hashable, Sendable {
        package var address: IPAddress
        package var preferred: UInt32
        package var valid: UInt32

        package init(_ address: IPAddress, preferred: UInt32 = 0, valid: UInt32 = 0) {
            (self.address, self.preferred, self.valid) = (address, preferred, valid)
        }
    }

    package var kind: Kind
    /// 24 bits.
    package var transaction: UInt32
    package var client: [UInt8] = []
    package var server: [UInt8]?
    /// The number of the identity association.
    package var association: [UInt8]?
    package var renewal: UInt32 = 0
    package var rebinding: UInt32 = 0
    package var address: Address?
    /// The status of the message, or else of the association.
    package var status: UInt16 = success
    /// Hundredths of a second since the exchange began.
    package var elapsed: UInt16 = 0

    package init(_ kind: Kind, transaction: UInt32) {
        self.kind = kind
        self.transaction = transaction & 0xff_ffff
    }

    // MARK: Reading

    /// The longest identifier of a host (RFC 8415 section 11.1).
    private static let longestIdentifier = 130

    /// Reads the payload of a UDP datagram; nil if it is malformed. Only the first association and the first address are read; options
    /// that the client did not request are skipped.
    package init?(payload: some Collection<UInt8>) {
        var reader = DatagramReader(payload)
        guard let head: UInt32 = reader.integer(), let kind = Kind(rawValue: UInt8(head >> 24)), let rest = reader.take(reader.remaining)
        else { return nil }
        self.init(kind, transaction: head)
        var isKnown = true
        guard
            Self.each(
                rest,
                { code, value in
                    switch code {
                    case Option.client: client = Array(value)
                    case Option.server: server = Array(value)
                    case Option.status: isKnown = isKnown && take(status: value)
                    case Option.association where association == nil: isKnown = isKnown && take(association: value)
                    default: break
                    }
                }), isKnown, client.count <= Self.longestIdentifier, (server?.count ?? 1) <= Self.longestIdentifier, server?.isEmpty != true
        else { return nil }
    }

    private mutating func take(status value: ArraySlice<UInt8>) -> Bool {
        var reader = DatagramReader(value)
        guard let code: UInt16 = reader.integer() else { return false }
        if status == Self.success { status = code }
        return true
    }

    private mutating func take(association value: ArraySlice<UInt8>) -> Bool {
        var reader = DatagramReader(value)
        guard let number = reader.take(4), let renewal: UInt32 = reader.integer(), let rebinding: UInt32 = reader.integer(),
            let rest = reader.take(reader.remaining)
        else { return false }
        (association, self.renewal, self.rebinding) = (Array(number), renewal, rebinding)
        var isKnown = true
        let isWhole = Self.each(rest) { code, value in
            switch code {
            case Option.address where address == nil: isKnown = isKnown && take(address: value)
            case Option.status: isKnown = isKnown && take(status: value)
            default: break
            }
        }
        // Such times are invalid (RFC 8415 section 21.4).
        return isWhole && isKnown && (rebinding == 0 || renewal <= rebinding)
    }

    private mutating func take(address value: ArraySlice<UInt8>) -> Bool {
        var reader = DatagramReader(value)
        guard let own = reader.take(16).flatMap({ IPAddress(bytes: $0) }), let preferred: UInt32 = reader.integer(),
            let valid: UInt32 = reader.integer(), preferred <= valid, let rest = reader.take(reader.remaining)
        else { return false }
        address = Address(own, preferred: preferred, valid: valid)
        var isKnown = true
        let isWhole = Self.each(rest) { code, value in if code == Option.status { isKnown = isKnown && take(status: value) } }
        return isWhole && isKnown
    }

    /// Calls the closure with each option. Returns false if an option exceeds the bytes.
    private static func each(_ bytes: ArraySlice<UInt8>, _ body: (UInt16, ArraySlice<UInt8>) -> Void) -> Bool {
        var reader = DatagramReader(bytes)
        while reader.remaining > 0 {
            guard let code: UInt16 = reader.integer(), let length: UInt16 = reader.integer(), let value = reader.take(Int(length)) else {
                return false
            }
            body(code, value)
        }
        return true
    }

    // MARK: Writing

    package var payload: [UInt8] {
        var bytes = (UInt32(kind.rawValue) << 24 | transaction).networkBytes
        func option(_ code: UInt16, _ value: [UInt8]) -> [UInt8] {
            code.networkBytes + UInt16(clamping: value.count).networkBytes + value
        }
        bytes += option(Option.client, client)
        if let server { bytes += option(Option.server, server) }
        if let association {
            var value = association + renewal.networkBytes + rebinding.networkBytes
            if let address {
                value += option(
                    Option.address, address.address.bytes + address.preferred.networkBytes + address.valid.networkBytes)
            }
            bytes += option(Option.association, value)
        }
        if kind != .reply, kind != .advertise { bytes += option(Option.elapsed, elapsed.networkBytes) }
        return bytes
    }
}
