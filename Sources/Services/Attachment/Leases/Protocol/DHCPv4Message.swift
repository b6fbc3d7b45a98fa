// SPDX-License-Identifier: Apache-2.0

import JournalModel
package import NetworkModel

/// A message of DHCP (RFC 2131 section 2, options of RFC 2132 and RFC 3442), limited to the fields of a client.
package struct DHCPv4Message: Hashable, Sendable {
    /// The message types of option 53 (RFC 2132 section 9.6).
    package enum Kind: UInt8, Sendable { case discover = 1, offer, request, decline, acknowledgement, refusal, release }

    package var kind: Kind
    package var transaction: UInt32
    /// The client's address (`ciaddr`), and the address that the server assigns (`yiaddr`).
    package var clientAddress: IPAddress = .anyV4
    package var yourAddress: IPAddress = .anyV4
    package var hardwareAddress: [UInt8] = []
    package var options: [UInt8: [UInt8]] = [:]

    /// Codes of options.
    package enum Option {
        package static let mask: UInt8 = 1
        package static let routers: UInt8 = 3
        package static let requestedAddress: UInt8 = 50
        package static let leaseTime: UInt8 = 51
        package static let kind: UInt8 = 53
        package static let server: UInt8 = 54
        package static let wanted: UInt8 = 55
        package static let largestMessage: UInt8 = 57
        package static let renewal: UInt8 = 58
        package static let rebinding: UInt8 = 59
        package static let identifier: UInt8 = 61
        package static let routes: UInt8 = 121
        static let overload: UInt8 = 52
        static let padding: UInt8 = 0
        static let end: UInt8 = 255
    }

    private static let cookie: [UInt8] = [99, 130, 83, 99]
    package static let (serverPort, clientPort): (UInt16, UInt16) = (67, 68)

    package init(_ kind: Kind, transaction: UInt32) {
        self.kind = kind
        self.transaction = transaction
    }

    // MARK: Reading

    /// Reads an IPv4 packet with a server's message; nil for other and malformed packets.
    ///
    /// The UDP checksum is not verified: a packet socket receives packets of the same machine before the checksum is filled in.
    package init?(packet: some Collection<UInt8>) {
        var reader = DatagramReader(packet)
        guard let first = reader.integer(UInt8.self), first >> 4 == 4, first & 15 >= 5, reader.skip(1),
            let total = reader.integer(UInt16.self), Int(total) <= packet.count, reader.skip(2), let fragment = reader.integer(UInt16.self),
            // The packet is not a fragment.
            fragment & 0x3fff == 0, reader.skip(1), reader.integer(UInt8.self) == 17, reader.skip(10),
            reader.skip(Int(first & 15) * 4 - 20), reader.integer(UInt16.self) == Self.serverPort,
            reader.integer(UInt16.self) == Self.clientPort, let length = reader.integer(UInt16.self), reader.skip(2),
            Int(length) >= 8, Int(first & 15) * 4 + Int(length) <= Int(total), let payload = reader.take(Int(length) - 8)
        else { return nil }
        self.init(payload: payload)
    }

    /// Reads a server's message.
    package init?(payload: some Collection<UInt8>) {
        var reader = DatagramReader(payload)
        guard reader.integer(UInt8.self) == 2, reader.skip(1), let hardwareLength = reader.integer(UInt8.self), hardwareLength <= 16,
            reader.skip(1), let transaction = reader.integer(UInt32.self), reader.skip(4), let own = reader.addressV4(),
            let your = reader.addressV4(), reader.skip(8), let hardware = reader.take(16), let name = reader.take(64),
            let file = reader.take(128), reader.take(4).map(Array.init) == Self.cookie, let rest = reader.take(reader.remaining),
            var options = Self.options(rest)
        else { return nil }
        // Options may continue in the two fields for booting (RFC 2132 section 9.3), each with its own end.
        if let overload = options[Option.overload] {
            guard overload.count == 1, (1...3).contains(overload[0]) else { return nil }
            for (bit, field) in [(UInt8(1), file), (2, name)] where overload[0] & bit != 0 {
                guard let more = Self.options(field) else { return nil }
                options.merge(more) { $0 + $1 }
            }
        }
        guard let word = options[Option.kind], word.count == 1, let kind = Kind(rawValue: word[0]) else { return nil }
        self.init(kind, transaction: transaction)
        self.options = options
        clientAddress = own
        yourAddress = your
        hardwareAddress = Array(hardware.prefix(Int(hardwareLength)))
    }

    /// Reads options, and joins the parts of split options (RFC 3396). Nil if an option exceeds the bytes.
    private static func options(_ bytes: ArraySlice<UInt8>) -> [UInt8: [UInt8]]? {
        var reader = DatagramReader(bytes)
        var options: [UInt8: [UInt8]] = [:]
        while let code = reader.integer(UInt8.self), code != Option.end {
            if code == Option.padding { continue }
            guard let length = reader.integer(UInt8.self), let value = reader.take(Int(length)) else { return nil }
            options[code, default: []] += value
        }
        return options
    }

    /// The address of an option; nil if the option is missing or has another length.
    package func address(_ option: UInt8) -> IPAddress? {
        guard let value = options[option], value.count == 4 else { return nil }
        return IPAddress(bytes: value)
    }

    /// The 32-bit number of an option; nil if the option is missing or has another length.
    package func seconds(_ option: UInt8) -> UInt32? {
        guard let value = options[option], value.count == 4 else { return nil }
        var reader = DatagramReader(value)
        return reader.integer()
    }

    /// The length of the network part of the address. Without a mask it is 32.
    package var prefixLength: Int? {
        guard let mask = options[Option.mask] else { return 32 }
        guard mask.count == 4 else { return nil }
        var reader = DatagramReader(mask)
        guard let bits: UInt32 = reader.integer(), bits != 0, (~bits &+ 1) & ~bits == 0 else { return nil }
        return (~bits).leadingZeroBitCount
    }

    /// Classless static routes (RFC 3442), including the default route; without that option, a default route over the first router. Nil
    /// if the option is malformed.
    package var routes: [RouteSpec]? {
        guard let bytes = options[Option.routes] else {
            guard let routers = options[Option.routers], routers.count >= 4, let first = IPAddress(bytes: routers.prefix(4)), first.isHost
            else { return [] }
            return [RouteSpec(destination: IPPrefix(address: .anyV4, length: 0), gateway: first)]
        }
        var reader = DatagramReader(bytes)
        var routes: [RouteSpec] = []
        while let width = reader.integer(UInt8.self) {
            guard width <= 32, routes.count < Lease.mostRoutes, let significant = reader.take((Int(width) + 7) / 8),
                let address = IPAddress(bytes: Array(significant) + [UInt8](repeating: 0, count: 4 - significant.count)),
                let gateway = reader.addressV4()
            else { return nil }
            let destination = IPPrefix(address: address, length: Int(width))
            guard destination.isNetwork, gateway == .anyV4 || gateway.isHost else { return nil }
            routes.append(RouteSpec(destination: destination, gateway: gateway == .anyV4 ? nil : gateway))
        }
        return routes
    }

    // MARK: Writing

    /// The client's message as an IPv4 packet.
    package func packet(_ interface: LeaseInterface, from source: IPAddress, to destination: IPAddress, seconds: UInt16) -> [UInt8] {
        // Over InfiniBand the hardware address does not fit into the message, and servers have to answer by broadcast (RFC 4390 section
        // 2.1).
        let isInfiniBand = interface.type == 32
        let hardware = isInfiniBand ? [] : Array(interface.address.bytes.prefix(16))
        var payload: [UInt8] = [1, UInt8(truncatingIfNeeded: interface.type), UInt8(hardware.count), 0]
        payload += transaction.networkBytes + seconds.networkBytes + [isInfiniBand && clientAddress == .anyV4 ? 0x80 : 0, 0]
        payload += clientAddress.bytes + [UInt8](repeating: 0, count: 12)
        payload += hardware + [UInt8](repeating: 0, count: 16 - hardware.count + 192) + Self.cookie
        payload += [Option.kind, 1, kind.rawValue]
        for (code, value) in options.sorted(by: { $0.key < $1.key }) where value.count < 256 {
            payload += [code, UInt8(value.count)] + value
        }
        payload.append(Option.end)
        // Some relays drop packets that are shorter than a BOOTP message.
        payload += [UInt8](repeating: 0, count: max(0, 300 - payload.count))
        let datagram = UInt16(8 + payload.count)
        var header: [UInt8] = [0x45, 0xc0] + (datagram + 20).networkBytes + [0, 0, 0x40, 0, 64, 17, 0, 0]
        header += source.bytes + destination.bytes
        header.replaceSubrange(10..<12, with: Self.checksum(header).networkBytes)
        var udp = Self.clientPort.networkBytes + Self.serverPort.networkBytes + datagram.networkBytes + [0, 0] + payload
        let sum = Self.checksum(source.bytes + destination.bytes + [0, 17] + datagram.networkBytes + udp)
        udp.replaceSubrange(6..<8, with: (sum == 0 ? UInt16.max : sum).networkBytes)
        return header + udp
    }

    /// The checksum of the Internet protocols (RFC 1071).
    package static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.enumerated() { sum += index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte) }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}
