// SPDX-License-Identifier: Apache-2.0

import Linux
import Netlink
import NetworkModel
import Testbed
import Testing

/// Messages of a real kernel (`hack/capture-netlink`) compared with the commands of ip(8) and tc(8): the first line of each file in
/// `Golden` has the command.
struct KernelMessageTests {
    static let names = Files.list("\(Place.project)/Tests/NetlinkTests/Golden").sorted()

    private func message(_ name: String) throws -> Message {
        let text = try Files.readText("\(Place.project)/Tests/NetlinkTests/Golden/\(name)")
        return try #require(Message.list(hex(text)[...])?.first)
    }

    private func prefix(_ text: String) -> IPPrefix? { IPPrefix(parsing: text) }

    @Test
    func `a link has the configured settings`() throws {
        let link = try #require(Link(try message("link.hex")))
        #expect(link.name == "g0" && link.index == 7 && link.kind == "veth" && link.mtu == 1400)
        #expect(link.alias == "rail-0" && link.alternativeNames == ["rail0"])
        #expect(link.address == HardwareAddress(parsing: "02:00:00:00:00:01"))
        #expect(link.hasCarrier == true && link.state == "up")
    }

    @Test
    func `addresses have their preferred and valid lifetimes`() throws {
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
    func `a permanent neighbour and a queueing discipline are decoded`() throws {
        let neighbour = try #require(Neighbour(try message("neighbour.hex")))
        #expect(neighbour.index == 7 && neighbour.address == IPAddress(parsing: "192.0.2.9"))
        #expect(neighbour.hardwareAddress == HardwareAddress(parsing: "02:00:00:00:00:09"))
        #expect(
            QueueingDiscipline(try message("discipline.hex"))
                == QueueingDiscipline(kind: "pfifo", handle: 0x10000, parent: QueueingDiscipline.root, options: [77, 0, 0, 0]))
    }

    @Test
    func `settings of a link equal the kernel's`() throws {
        let settings = try #require(LinkSettings(try message("link.hex")))
        // The flags contain only settings (IFF_MULTICAST); other values are the kernel's defaults for veth, and the command's MTU for IPv6.
        #expect(settings.flags == 0x1000 && settings.txQueueLength == 1000 && settings.group == 0)
        #expect(settings.sizes == SegmentSizes(gso: 65536, gro: 65536, gsoIPv4: 65536, groIPv4: 65536, segments: 65535))
        // IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL (27) is 10 s, DEVCONF_HOPLIMIT (1) 64 and DEVCONF_MTU6 (2) 1400.
        #expect(settings.ipv4.count == 33 && settings.ipv4[26] == 10_000 && Array(settings.ipv4[3...6]) == [1, 1, 1, 1])
        #expect(settings.ipv6.count == 60 && Array(settings.ipv6[0...2]) == [0, 64, 1400] && settings.ipv6[7] == -1)
    }

    /// The attributes of a payload in wire format, with their padding.
    private func parts(_ payload: some Sequence<UInt8>, header: Int) -> Set<[UInt8]> {
        var (rest, parts) = (payload.dropFirst(header).map { $0 }, Set<[UInt8]>())
        while rest.count >= 4 {
            let size = (Int(rest[0]) + Int(rest[1]) << 8 + 3) / 4 * 4
            parts.insert(Array(rest.prefix(size)))
            rest.removeFirst(min(max(size, 4), rest.count))
        }
        return parts
    }

    @Test(arguments: ["rule-v4.hex", "rule-v6.hex"])
    func `a rule is added with the attributes that the kernel lists`(name: String) throws {
        let message = try message(name)
        let request = NetlinkRequest.add(try #require(Rule(message)))
        #expect(parts(request.payload, header: 12) == parts(message.payload, header: 12))
        // Family, lengths, action and flags; a table of more than 8 bits is in an attribute, which the kernel lists as 252 here.
        var header = Array(message.payload.prefix(12))
        header[4] = 0
        #expect(Array(request.payload.prefix(12)) == header && request.type == 32 && request.flags == 0x600)
    }

    @Test
    func `a neighbour is set with the attributes that the kernel lists, and is permanent`() throws {
        let message = try message("neighbour.hex")
        let request = NetlinkRequest.set(try #require(Neighbour(message)))
        // struct ndmsg: AF_INET, interface 7, NUD_PERMANENT; the kernel adds its type, NDA_PROBES and NDA_CACHEINFO.
        #expect(Array(request.payload.prefix(12)) == hex("02000000 07000000 8000 00 00"))
        #expect(parts(request.payload, header: 12) == [hex("08000100 c0000209"), hex("0a000200 020000000009 0000")])
        #expect(parts(request.payload, header: 12).isSubset(of: parts(message.payload, header: 12)))
    }

    /// Messages about hardware, built from the definitions of linux/if_link.h.
    @Test
    func `virtual functions are decoded from each attribute, and a truncated list has none`() throws {
        // IFLA_VFINFO_LIST (22) of one IFLA_VF_INFO (1): MAC (1), VLAN (2) 100 with priority 3, SPOOFCHK (4) on, LINK_STATE (5) disabled,
        // RATE (6) 10 to 20, TRUST (9) unknown.
        let parts: [UInt8] = [
            "28000100 05000000 020000000001 \(String(repeating: "00", count: 26))", "10000200 05000000 64000000 03000000",
            "0c000400 05000000 01000000", "0c000500 05000000 02000000", "10000600 05000000 0a000000 14000000", "0c000900 05000000 ffffffff",
        ].flatMap { hex($0) }
        let list: [UInt8] = [UInt8(parts.count + 8), 0, 22, 0x80, UInt8(parts.count + 4), 0, 1, 0x80] + parts
        let header = [UInt8](repeating: 0, count: 16)
        var expected = VirtualFunction(number: 5)
        expected.settings.hardwareAddress = HardwareAddress(parsing: "02:00:00:00:00:01")
        (expected.settings.vlan, expected.settings.vlanPriority) = (100, 3)
        (expected.settings.checksSpoofing, expected.settings.linkState) = (true, 2)
        (expected.settings.minimalRate, expected.settings.maximalRate) = (10, 20)
        #expect(VirtualFunction.list(Message(type: 16, flags: 0, payload: header + list)) == [expected])
        for count in list.indices {
            #expect(VirtualFunction.list(Message(type: 16, flags: 0, payload: header + list[..<count])).isEmpty, "\(count) bytes")
        }
    }

    @Test
    func `requests to create an interface and to add names have the expected bytes`() {
        let made = NetlinkRequest.addLink("a", kind: "macvlan", parent: 7, mtu: 1400, namespace: 9) { $0.attribute(1, integer: UInt32(4)) }
        // IFLA_IFNAME (3), LINK (5), MTU (4), NET_NS_FD (28), LINKINFO (18) of INFO_KIND (1) and INFO_DATA (2) of MACVLAN_MODE (1).
        #expect(
            made.payload
                == hex(
                    """
                    00000000 00000000 00000000 00000000 06000300 61000000 08000500 07000000 08000400 78050000 08001c00 09000000
                    1c001280 0c000100 6d616376 6c616e00 0c000280 08000100 04000000
                    """))
        #expect(made.type == 16 && made.flags == 0x600)
        let named = NetlinkRequest.addAlternativeNames(["b", "cd"], to: 7)
        // IFLA_PROP_LIST (52) of IFLA_ALT_IFNAME (53).
        #expect(named.payload == hex("00000000 07000000 00000000 00000000 14003480 06003500 62000000 07003500 63640000"))
        #expect(named.type == 108)
    }

    @Test(arguments: names)
    func `a message that ends within an attribute is refused at every byte`(name: String) throws {
        let whole = try message(name)
        let header = try #require(Self.headers[whole.type])
        let payload = Array(whole.payload)
        var start = header
        while start + 4 <= payload.count, whole.type != 64 {
            let size = Int(payload[start]) + Int(payload[start + 1]) << 8
            for end in start + 4..<start + size {
                var cut = whole
                cut.payload = whole.payload.prefix(end)
                #expect(read(cut) == nil, "\(end) of \(payload.count) bytes")
            }
            start += (size + 3) / 4 * 4
        }
    }

    /// The object of a message as text; nil if it is refused.
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
    func `an attribute truncated below half of its length gives no value`(name: String) throws {
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
            // Damage to a relevant attribute is refused, makes it missing, or changes its value; damage to any other attribute has no
            // effect.
            let (found, expected, original) = (read(damaged), read(without), read(whole))
            if expected != original { #expect(found != original, "attribute \(attributes[index].type): \(found ?? "refused")") }
        }
    }
}
