// SPDX-License-Identifier: Apache-2.0

import Attachment
import Inspection
import JournalModel
import NetworkModel
import Testing

/// DHCP clients as values: sent and accepted messages, and their times.
struct LeaseProtocolTests {
    private static let interface = LeaseInterface(
        index: 7, type: 1, address: HardwareAddress(bytes: [2, 0x4e, 0x53, 0, 0, 1]),
        broadcast: HardwareAddress(bytes: [UInt8](repeating: 0xff, count: 6)))
    private static let serverLink = HardwareAddress(bytes: [2, 0, 0, 0, 0, 9])
    private typealias Option = DHCPv4Message.Option

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(parsing: text)) }
    private func client4(former: String? = nil) -> DHCPv4Client {
        DHCPv4Client(Self.interface, former: former.flatMap { IPAddress(parsing: $0) }, at: .ms(0)) { 5 }
    }

    private func sent(_ actions: [LeaseAction]) -> [(bytes: [UInt8], target: HardwareAddress?)] {
        actions.compactMap { action in if case .send(let bytes, let target) = action { (bytes, target) } else { nil } }
    }
    private func leases(_ actions: [LeaseAction]) -> [Lease] {
        actions.compactMap { action in if case .report(let lease) = action { lease } else { nil } }
    }

    /// A server's packet, assembled manually.
    private func answer(_ kind: UInt8, transaction: UInt32 = 5, your: [UInt8] = [192, 0, 2, 20], options: [UInt8] = Self.usual) -> [UInt8] {
        var payload: [UInt8] = [2, 1, 6, 0] + (0..<4).map { UInt8(truncatingIfNeeded: transaction >> (24 - 8 * $0)) } + [0, 0, 0, 0]
        payload += [0, 0, 0, 0] + your + [192, 0, 2, 1] + [0, 0, 0, 0] + Self.interface.address.bytes + [UInt8](repeating: 0, count: 10)
        payload += [UInt8](repeating: 0, count: 192) + [99, 130, 83, 99, 53, 1, kind] + options + [255]
        let (udp, total) = (payload.count + 8, payload.count + 28)
        return [0x45, 0, UInt8(total >> 8), UInt8(total & 255), 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 255, 255, 255, 255]
            + [0, 67, 0, 68, UInt8(udp >> 8), UInt8(udp & 255), 0, 0] + payload
    }
    /// Server 192.0.2.1, 3600 seconds, mask /24.
    private static let usual: [UInt8] = [54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 1, 4, 255, 255, 255, 0]

    private func bound4() throws -> DHCPv4Client {
        var client = client4()
        _ = client.wake(at: .ms(0))
        #expect(client.receive(answer(2), from: Self.serverLink, at: .ms(10)).count == 1)
        #expect(leases(client.receive(answer(5), from: Self.serverLink, at: .ms(20))).count == 1)
        #expect(client.state == .bound)
        return client
    }

    @Test
    func `a client broadcasts a discovery, and requests the offered address from the server`() throws {
        var client = client4()
        let (discover, target) = try #require(sent(client.wake(at: .ms(0))).first)
        #expect(target == nil && Array(discover[12..<20]) == [0, 0, 0, 0, 255, 255, 255, 255])
        #expect(
            Array(discover[20..<24]) == [0, 68, 0, 67] && discover[28] == 1
                && Array(discover[28 + 28..<28 + 34]) == Self.interface.address.bytes)
        #expect(Array(discover[28 + 236..<28 + 243]) == [99, 130, 83, 99, 53, 1, 1])
        // The sum over a header or a datagram including its checksum is zero (RFC 1071).
        #expect(DHCPv4Message.checksum(Array(discover[..<20])) == 0)
        let length = Array(discover[24..<26])
        #expect(DHCPv4Message.checksum(Array(discover[12..<20]) + [0, 17] + length + Array(discover[20...])) == 0)

        let request = try #require(sent(client.receive(answer(2), from: Self.serverLink, at: .ms(10))).first).bytes
        let options = Array(request[(28 + 240)...])
        #expect(options.starts(with: [53, 1, 3, 50, 4, 192, 0, 2, 20, 54, 4, 192, 0, 2, 1]), "\(options)")
        let lease = try #require(leases(client.receive(answer(5), from: Self.serverLink, at: .ms(20))).first)
        #expect(lease.address?.description == "192.0.2.20/24" && lease.seconds == 3600 && lease.routes.isEmpty)
    }

    @Test
    func `a lease is renewed at its server after half of its time, at all servers after seven eighths, and lost at its end`() throws {
        var client = try bound4()
        #expect(client.wake(at: .ms(1_799_000)).isEmpty)
        // The lease begins at the request, at 10 ms.
        let deadline = try #require(client.deadline)
        #expect(deadline >= .ms(1_799_990) && deadline <= .ms(1_800_010), "\(deadline)")
        let renewal = try #require(sent(client.wake(at: deadline)).first)
        #expect(
            renewal.target == Self.serverLink && Array(renewal.bytes[12..<20]) == [192, 0, 2, 20, 192, 0, 2, 1] && client.state == .renewing
        )
        let rebinding = try #require(sent(client.wake(at: .ms(3_150_010))).first)
        #expect(rebinding.target == nil && Array(rebinding.bytes[16..<20]) == [255, 255, 255, 255] && client.state == .rebinding)
        var other = client
        #expect(leases(other.receive(answer(5), from: Self.serverLink, at: .ms(3_150_020))).first?.seconds == 3600 && other.state == .bound)
        let end = client.wake(at: .ms(3_600_010))
        #expect(leases(end).first?.address == nil && leases(end).count == 1 && sent(end).count == 1 && client.state == .selecting)
    }

    @Test
    func `a former address is requested first until a refusal or time-out, and one datagram releases a lease`() throws {
        var client = client4(former: "192.0.2.20")
        let request = try #require(sent(client.wake(at: .ms(0))).first).bytes
        #expect(Array(request[(28 + 240)...]).starts(with: [53, 1, 3, 50, 4, 192, 0, 2, 20, 55]), "without a server")
        var refused = client
        #expect(leases(refused.receive(answer(6, your: [0, 0, 0, 0]), from: Self.serverLink, at: .ms(5))).first?.address == nil)
        let retry = try #require(refused.deadline)
        #expect(refused.state == .selecting && retry > .ms(5))
        while client.state == .rebooting { _ = client.wake(at: try #require(client.deadline)) }
        let end = try #require(client.deadline)
        #expect(client.state == .selecting && end < .ms(20_000))

        var bound = try bound4()
        let release = try #require(sent(bound.release(at: .ms(100))).first)
        #expect(release.target == Self.serverLink && Array(release.bytes[28 + 12..<28 + 16]) == [192, 0, 2, 20])
        #expect(Array(release.bytes[(28 + 240)...]).starts(with: [53, 1, 7, 54, 4, 192, 0, 2, 1]))
        #expect(bound.release(at: .ms(101)).isEmpty)
    }

    @Test
    func `an address from before a restart is released at its server without an answer of any server`() throws {
        var first = client4()
        _ = first.wake(at: .ms(0))
        _ = first.receive(answer(2), from: Self.serverLink, at: .ms(1))
        let lease = try #require(leases(first.receive(answer(5), from: Self.serverLink, at: .ms(2))).first)
        #expect(lease.server == [192, 0, 2, 1] + Self.serverLink.bytes)
        var next = DHCPv4Client(Self.interface, former: lease.address?.address, giver: lease.server, at: .ms(0)) { 5 }
        let request = try #require(sent(next.wake(at: .ms(0))).first).bytes
        #expect(
            Array(request[(28 + 240)...]).starts(with: [53, 1, 3, 50, 4, 192, 0, 2, 20, 55]), "no server is named (RFC 2131, INIT-REBOOT)")
        let release = try #require(sent(next.release(at: .ms(1))).first)
        #expect(release.target == Self.serverLink && Array(release.bytes[(28 + 240)...]).starts(with: [53, 1, 7, 54, 4, 192, 0, 2, 1]))

        let giver: [UInt8] = [0, 3, 0, 1, 9, 9]
        var other = DHCPv6Client(Self.interface, former: try address("2001:db8:5::20"), giver: giver, at: .ms(0)) { 5 }
        let solicit = try #require(sent(other.wake(at: .ms(0))).first.flatMap { DHCPv6Message(payload: $0.bytes) })
        #expect(solicit.kind == .solicit && solicit.server == nil && solicit.address?.address.description == "2001:db8:5::20")
        let message = try #require(sent(other.release(at: .ms(1))).first.flatMap { DHCPv6Message(payload: $0.bytes) })
        #expect(message.kind == .release && message.server == giver && message.address?.address.description == "2001:db8:5::20")
        #expect(other.release(at: .ms(2)).isEmpty)
        #expect(client6Releases().isEmpty, "without an address there is nothing to release")
    }

    private func client6Releases() -> [LeaseAction] {
        var client = client6()
        _ = client.wake(at: .ms(0))
        return client.release(at: .ms(1))
    }

    @Test
    func `answers for another interface, or without a usable address, are ignored`() throws {
        var others: [[UInt8]] = [
            answer(2, transaction: 6), answer(2, your: [127, 0, 0, 1]), answer(2, your: [224, 0, 0, 1]), answer(2, your: [0, 0, 0, 0]),
            answer(2, options: []), answer(2, options: [54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 0, 1]), answer(5), answer(6),
            answer(2, options: [54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 1, 4, 255, 0, 255, 0]),
            answer(2, options: [54, 4, 192, 0, 2, 1, 51, 200, 0]),
        ]
        for (place, value) in [(0, UInt8(0x65)), (0, 0x4f), (6, 0x20), (9, 6), (21, 66), (23, 69), (28, 1), (28 + 28, 4)] {
            var packet = answer(2)
            packet[place] = value
            others.append(packet)
        }
        for packet in others {
            var client = client4()
            _ = client.wake(at: .ms(0))
            let before = client.deadline
            #expect(
                client.receive(packet, from: Self.serverLink, at: .ms(1)).isEmpty && client.state == .selecting && client.deadline == before
            )
        }
    }

    @Test
    func `routes are those of option 121, or a default route over the first router, and none if the option is malformed`() throws {
        func routes(_ options: [UInt8]) -> [String]? {
            DHCPv4Message(packet: answer(5, options: options))?.routes?.map { "\($0.destination) \($0.gateway?.description ?? "-")" }
        }
        #expect(routes([121, 14, 24, 198, 51, 100, 192, 0, 2, 1, 8, 10, 0, 0, 0, 0, 3, 4]) == nil)
        #expect(routes([121, 14, 24, 198, 51, 100, 192, 0, 2, 1, 8, 10, 0, 0, 0, 0]) == ["198.51.100.0/24 192.0.2.1", "10.0.0.0/8 -"])
        // One option in two parts (RFC 3396).
        #expect(routes([121, 3, 24, 198, 51, 121, 5, 100, 192, 0, 2, 1]) == ["198.51.100.0/24 192.0.2.1"])
        #expect(routes([3, 4, 192, 0, 2, 9]) == ["0.0.0.0/0 192.0.2.9"])
        #expect(routes([121, 5, 0, 192, 0, 2, 1, 3, 4, 192, 0, 2, 9]) == ["0.0.0.0/0 192.0.2.1"])
        for bad: [UInt8] in [
            [121, 2, 33, 1], [121, 5, 24, 1, 2, 3, 4], [121, 8, 24, 198, 51, 100, 224, 0, 0, 1], [121, 5, 1, 192, 0, 2, 1],
        ] {
            #expect(routes(bad) == nil, "\(bad)")
        }
    }

    // MARK: IPv6

    private func client6() -> DHCPv6Client { DHCPv6Client(Self.interface, former: nil, at: .ms(0)) { 5 } }

    private func answer6(
        _ kind: DHCPv6Message.Kind, _ address: String = "2001:db8:5::20", preferred: UInt32 = 60, valid: UInt32 = 120,
        server: [UInt8]? = [0, 3, 0, 1, 9, 9]
    ) throws -> [UInt8] {
        var message = DHCPv6Message(kind, transaction: 5)
        (message.client, message.server, message.association) = (Self.interface.identifier, server, Self.interface.association)
        message.address = DHCPv6Message.Address(try self.address(address), preferred: preferred, valid: valid)
        return message.payload
    }

    @Test
    func `a DHCPv6 client solicits, requests, renews, rebinds and releases`() throws {
        var client = client6()
        let solicit = try #require(sent(client.wake(at: .ms(0))).first).bytes
        #expect(
            solicit
                == [1, 0, 0, 5, 0, 1, 0, 10, 0, 3, 0, 1, 2, 0x4e, 0x53, 0, 0, 1, 0, 3, 0, 12, 0x53, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
                + [0, 8, 0, 2, 0, 0])
        let request = try #require(sent(client.receive(try answer6(.advertise), from: HardwareAddress(bytes: []), at: .ms(5))).first).bytes
        #expect(request[0] == 3 && DHCPv6Message(payload: request)?.server == [0, 3, 0, 1, 9, 9])
        let lease = try #require(leases(client.receive(try answer6(.reply), from: HardwareAddress(bytes: []), at: .ms(10))).first)
        #expect(lease.address?.description == "2001:db8:5::20/128" && lease.seconds == 120 && lease.preferredSeconds == 60)
        #expect(client.deadline == .ms(30_005))
        #expect(sent(client.wake(at: .ms(30_005))).first?.bytes.first == 5)
        #expect(sent(client.wake(at: .ms(48_005))).first?.bytes.first == 6)
        var lost = client
        #expect(
            leases(lost.receive(try answer6(.reply, preferred: 0, valid: 0), from: HardwareAddress(bytes: []), at: .ms(48_010))).first?
                .address
                == nil)
        var renewed = client
        #expect(leases(renewed.receive(try answer6(.reply), from: HardwareAddress(bytes: []), at: .ms(48_010))).count == 1)
        #expect(sent(renewed.release(at: .ms(50_000))).first?.bytes.first == 8)
        #expect(leases(client.wake(at: .ms(120_005))).first?.address == nil && client.state == .soliciting)
    }

    @Test
    func `a DHCPv6 client ignores unusable addresses and messages for other clients`() throws {
        for bad in try [
            answer6(.advertise, "ff02::1"), answer6(.advertise, "fe80::1"), answer6(.advertise, "::1"), answer6(.advertise, valid: 0),
            answer6(.advertise, preferred: 200), answer6(.advertise, server: nil), answer6(.reply), answer6(.advertise).dropLast() + [],
        ] {
            var client = client6()
            _ = client.wake(at: .ms(0))
            #expect(
                client.receive(Array(bad), from: HardwareAddress(bytes: []), at: .ms(1)).isEmpty && client.state == .soliciting, "\(bad)")
        }
    }

    // MARK: Both

    @Test
    func `no datagram makes a client fail, and each reported lease can be read again`() throws {
        var random = SplitMix(seed: 17)
        var reports = 0
        for round in 0..<20_000 {
            let isV6 = round % 2 == 1
            let kind: UInt8 = round % 4 < 2 ? 2 : 5
            var packet =
                isV6
                ? try answer6(kind == 2 ? .advertise : .reply)
                : answer(kind, options: Self.usual + [121, 8, 24, 198, 51, 100, 192, 0, 2, 1])
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                packet[Int.random(in: packet.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if round % 3 == 0 { packet.removeLast(Int.random(in: 0..<packet.count, using: &random)) }
            var actions: [LeaseAction] = []
            if isV6 {
                var client = client6()
                _ = client.wake(at: .ms(0))
                if kind == 5 { _ = client.receive(try answer6(.advertise), from: HardwareAddress(bytes: []), at: .ms(1)) }
                actions =
                    client.receive(packet, from: HardwareAddress(bytes: []), at: .ms(2))
                    + (client.deadline.map { client.wake(at: $0) } ?? [])
            } else {
                var client = client4()
                _ = client.wake(at: .ms(0))
                if kind == 5 { _ = client.receive(answer(2), from: Self.serverLink, at: .ms(1)) }
                actions = client.receive(packet, from: Self.serverLink, at: .ms(2)) + (client.deadline.map { client.wake(at: $0) } ?? [])
            }
            for lease in leases(actions) {
                reports += 1
                #expect(Lease(text: lease.text, family: isV6 ? .v6 : .v4) == lease)
                if let own = lease.address { #expect(own.address.isHost) }
            }
        }
        #expect(reports > 1000, "the packets are near enough to real ones")
    }

    @Test
    func `a client's report is read within limits`() {
        let lease = Lease(
            text:
                "ip=192.0.2.20\nmask=24\nlease=3600\nstaticroutes=0.0.0.0/0 192.0.2.1 198.51.100.0/24 192.0.2.1 203.0.113.0/24 0.0.0.0 x\n")
        #expect(lease?.address?.description == "192.0.2.20/24" && lease?.seconds == 3600)
        #expect(
            lease?.routes.map { "\($0.destination) \($0.gateway?.description ?? "-")" } == [
                "0.0.0.0/0 192.0.2.1", "198.51.100.0/24 192.0.2.1", "203.0.113.0/24 -",
            ])
        #expect(Lease(text: "lease=0\n")?.address == nil)
        let timed = Lease(text: "ip=192.0.2.20\nmask=24\nlease=100\nat=1000000\n")
        func uptime(_ milliseconds: Int) -> ContinuousClock.Instant { Lease.clockStart + .milliseconds(milliseconds) }
        #expect(timed?.left(at: uptime(1_000_000)) == 100 && timed?.left(at: uptime(1_070_000)) == 30)
        #expect(timed?.left(at: uptime(1_070_001)) == 30 && timed?.left(at: uptime(5_000_000)) == 0)
        #expect(timed?.hasEnded(at: uptime(1_099_999)) == false && timed?.hasEnded(at: uptime(1_100_000)) == true)
        #expect(timed?.text.contains("at=1000000\n") == true)
        #expect(Lease(text: "ip=192.0.2.20\nmask=24\nlease=4294967294\nat=9223372036854775807\n") == nil)
        for text in ["ip=192.0.2.20\n", "ip=192.0.2.20\nmask=33\n", "ip=x\nmask=24\n", "ip=2001:db8::1\nmask=24\n", "nonsense"] {
            #expect(Lease(text: text) == nil, "\(text)")
        }
        for text in ["ip=192.0.2.20\nmask=24\n", "ip=2001:db8::1\n", "ip=2001:db8::1\nmask=129\n"] {
            #expect(Lease(text: text, family: .v6) == nil, "\(text)")
        }
        #expect(Lease(text: String(repeating: "a=b\n", count: 2000)) == nil)
    }

    @Test
    func `a server's routes are set inside the allowed prefixes, and never in the cluster's networks`() throws {
        func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(parsing: text)) }
        let policy = LeasePolicy(
            allowed: [try prefix("10.0.0.0/8"), try prefix("198.51.100.0/24")], reserved: [try prefix("10.96.0.0/12")],
            taken: [try prefix("10.7.0.0/16")])
        let own = try prefix("192.0.2.20/24")
        func isSet(_ destination: String, _ gateway: String? = "192.0.2.1") throws -> Bool {
            let route = RouteSpec(destination: try prefix(destination), gateway: gateway.flatMap { IPAddress(parsing: $0) })
            return !policy.judge([route], of: own).routes.isEmpty
        }
        for good in ["198.51.100.0/24", "198.51.100.128/25", "10.1.0.0/16", "192.0.2.64/26"] { #expect(try isSet(good), "\(good)") }
        for bad in ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.96.0.0/12", "10.0.0.0/8", "10.96.0.1/32", "198.51.0.0/16", "10.7.0.0/16"] {
            #expect(try !isSet(bad), "\(bad)")
        }
        #expect(try !isSet("198.51.100.0/24", "203.0.113.1") && !isSet("198.51.100.0/24", "192.0.2.20"))
        #expect(policy.refusal(of: own) == nil)
        for bad in ["10.96.0.50/24", "10.5.0.1/8", "64.0.0.1/2"] { #expect(policy.refusal(of: try prefix(bad)) != nil, "\(bad)") }
        let plain = LeasePolicy(allowed: [])
        #expect(try plain.refusal(of: prefix("172.20.0.9/16")) == nil && plain.refusal(of: prefix("172.20.0.9/15")) != nil)
        let open = LeasePolicy(allowed: [try prefix("0.0.0.0/0")])
        #expect(
            open.judge([RouteSpec(destination: try prefix("0.0.0.0/0"), gateway: try address("192.0.2.1"))], of: own).routes.count == 1)
    }
}

extension ContinuousClock.Instant {
    private static let start = ContinuousClock.now

    /// A time, in milliseconds since the test began.
    fileprivate static func ms(_ milliseconds: Int) -> Self { start + .milliseconds(milliseconds) }
}
