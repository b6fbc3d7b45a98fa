// SPDX-License-Identifier: Apache-2.0

import Linux
import Netlink
import NetworkModel
import Testbed
import Testing

/// Messages of a real kernel (`hack/capture-netlink`) against what ip(8) and tc(8) had been told to make: the first line of each file of
/// `Golden` has the command.
struct KernelMessageTests {
    static let names = Files.list("\(Place.project)/Tests/NetlinkTests/Golden").sorted()

    private func message(_ name: String) throws -> Message {
        let text = try Files.readText("\(Place.project)/Tests/NetlinkTests/Golden/\(name)")
        return try #require(Message.list(hex(text)[...])?.first)
    }

    private func prefix(_ text: String) -> IPPrefix? { IPPrefix(parsing: text) }

    @Test
    func `a link has the settings that were made`() throws {
        let link = try #require(Link(try message("link.hex")))
        #expect(link.name == "g0" && link.index == 7 && link.kind == "veth" && link.mtu == 1400)
        #expect(link.alias == "rail-0" && link.alternativeNames == ["rail0"])
        #expect(link.address == HardwareAddress(parsing: "02:00:00:00:00:01"))
        #expect(link.hasCarrier == true && link.state == "up")
    }

    @Test
    func `addresses have their lifetimes, the preferred one and the valid one each in its place`() throws {
        let v4 = try #require(InterfaceAddress(try message("address-v4.hex")))
        #expect(v4.index == 7 && v4.prefix == prefix("192.0.2.5/24") && v4.label == "g0:x" && v4.peer == nil)
        #expect(v4.broadcast == IPAddress(parsing: "192.0.2.255"))
        #expect(v4.preferredLifetime == 1800 && v4.validLifetime == 3600)
        let v6 = try #require(InterfaceAddress(try message("address-v6.hex")))
        #expect(v6.prefix == prefix("2001:db8::5/64"))
        #expect(v6.preferredLifetime == 900 && v6.validLifetime == 7200)
    }

    @Test
    func `routes have their destination, gateway, metric and next hops`() throws {
        let v4 = try #require(Route(try message("route-v4.hex")))
        #expect(v4.destination == prefix("198.51.100.0/24") && v4.gateway == IPAddress(parsing: "192.0.2.1") && !v4.isV6)
        #expect(v4.interface == 7 && v4.priority == 77 && v4.table == 254 && v4.routeProtocol == 4)
        // RTA_METRICS (8) with RTAX_MTU (2).
        #expect(v4.others == hex("0c000800 08000200 78050000"))
        let v6 = try #require(Route(try message("route-v6.hex")))
        #expect(v6.destination == prefix("2001:db8:1::/48") && v6.gateway == IPAddress(parsing: "2001:db8::1") && v6.isV6)
        #expect(v6.interface == 7 && v6.priority == 88)
        let both = try #require(Route(try message("route-multipath.hex")))
        #expect(both.destination == prefix("203.0.113.0/24") && both.nextHops == [7, 7] && both.gateway == nil)
    }

    @Test
    func `rules have their selectors`() throws {
        let v4 = try #require(Rule(try message("rule-v4.hex")))
        #expect(v4.source == prefix("192.0.2.0/24") && v4.destination == prefix("198.51.100.0/24"))
        #expect(v4.table == 1000 && v4.priority == 500 && v4.inputInterface == "g0" && v4.outputInterface == nil)
        #expect(!v4.isInverted && !v4.isV6)
        let v6 = try #require(Rule(try message("rule-v6.hex")))
        #expect(v6.source == prefix("2001:db8::/64") && v6.destination == nil)
        #expect(v6.table == 1001 && v6.priority == 501 && v6.outputInterface == "g0" && v6.isInverted && v6.isV6)
    }

    @Test
    func `a permanent neighbour and a queueing discipline are read`() throws {
        let neighbour = try #require(Neighbour(try message("neighbour.hex")))
        #expect(neighbour.index == 7 && neighbour.address == IPAddress(parsing: "192.0.2.9"))
        #expect(neighbour.hardwareAddress == HardwareAddress(parsing: "02:00:00:00:00:09"))
        #expect(
            QueueingDiscipline(try message("discipline.hex"))
                == QueueingDiscipline(kind: "pfifo", handle: 0x10000, parent: QueueingDiscipline.root, options: [77, 0, 0, 0]))
    }

    /// The object that a message is about, as text; nil when it is refused.
    private func read(_ message: Message) -> String? {
        switch message.type {
        case 16: Link(message).map { "\($0)" }
        case 20: InterfaceAddress(message).map { "\($0)" }
        case 24: Route(message).map { "\($0)" }
        case 28: Neighbour(message).map { "\($0)" }
        case 32: Rule(message).map { "\($0)" }
        case 36: QueueingDiscipline(message).map { "\($0)" }
        default: nil
        }
    }

    /// Bytes of the fixed header of each type of message.
    private static let headers: [UInt16: Int] = [16: 16, 20: 8, 24: 12, 28: 12, 32: 12, 36: 20, 64: 4]

    @Test(arguments: names)
    func `an attribute that is cut to less than its half leaves no value of the whole one`(name: String) throws {
        let whole = try message(name)
        let header = try #require(Self.headers[whole.type])
        let attributes = try #require(Attribute.list(whole.payload.dropFirst(header)))
        try #require(!attributes.isEmpty)
        for index in attributes.indices where !attributes[index].value.isEmpty {
            var (cut, gone) = (MessageBuilder(Array(whole.payload.prefix(header))), MessageBuilder(Array(whole.payload.prefix(header))))
            for (place, attribute) in attributes.enumerated() {
                if place != index { gone.attribute(Int(attribute.type), Array(attribute.value)) }
                let value = place == index ? attribute.value.prefix(max(attribute.value.count / 2 - 1, 0)) : attribute.value
                cut.attribute(Int(attribute.type), Array(value))
            }
            var (damaged, without) = (whole, whole)
            (damaged.payload, without.payload) = (cut.body[...], gone.body[...])
            // An attribute that matters is refused, or counts as missing, or is seen to differ; one that does not matter changes nothing.
            let (found, expected, original) = (read(damaged), read(without), read(whole))
            if expected != original { #expect(found != original, "attribute \(attributes[index].type): \(found ?? "refused")") }
        }
    }
}
