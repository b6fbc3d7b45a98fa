// SPDX-License-Identifier: Apache-2.0

import Netlink
import NetworkModel
import Testbed
import Testing

struct NetlinkTests {
    /// The kernel's answer to `ip link show eth0` (little endian).
    static let newLink = hex(
        """
        70000000 1000 0000 02000000 39300000   // nlmsghdr: 112 bytes, RTM_NEWLINK, seq 2, port 12345
        00 00 0100 03000000 43100100 00000000  // ifinfomsg: ARPHRD_ETHER, index 3, UP|BROADCAST|RUNNING|MULTICAST|LOWER_UP
        0900 0300 65746830 00000000            // IFLA_IFNAME "eth0"
        0800 0400 dc050000                     // IFLA_MTU 1500
        0500 1000 06000000                     // IFLA_OPERSTATE up
        0a00 0100 024e53000007 0000            // IFLA_ADDRESS
        0800 0500 02000000                     // IFLA_LINK 2
        1000 1280 0c00 0100 6d616376 6c616e00  // IFLA_LINKINFO { IFLA_INFO_KIND "macvlan" }
        0e00 3480 0a00 3500 656e7030 7300 0000 // IFLA_PROP_LIST { IFLA_ALT_IFNAME "enp0s" }
        """)

    @Test
    func `a link is decoded`() throws {
        let message = try #require(Message.list(Self.newLink[...])?.first)
        let link = try #require(Link(message))
        #expect(link.index == 3)
        #expect(link.name == "eth0")
        #expect(link.mtu == 1500)
        #expect(link.state == "up")
        #expect(link.isUp)
        #expect(!link.isLoopback)
        #expect(link.address?.description == "02:4e:53:00:00:07")
        #expect(link.link == 2)
        #expect(link.kind == "macvlan")
        #expect(link.alternativeNames == ["enp0s"])
    }

    @Test
    func `a message truncated at any byte is refused, and none traps`() {
        for length in 1..<Self.newLink.count {
            let messages = Message.list(Self.newLink[..<length])
            #expect(messages == nil, "cut at \(length)")
        }
    }

    @Test
    func `a change of a link is encoded as by ip`() {
        // ip link set dev 3 name net1 mtu 1400 up netns 9
        let change = LinkChange(name: "net1", mtu: 1400, isUp: true, namespace: 9)
        let message = Message(type: 16, flags: 5, sequence: 7, payload: change.payload(index: 3))
        #expect(
            message.bytes
                == hex(
                    """
                    3c000000 1000 0500 07000000 00000000  // 60 bytes, RTM_NEWLINK, REQUEST|ACK
                    00 00 0000 03000000 01000000 01000000 // index 3, flags UP, change UP
                    0900 0300 6e657431 00 000000          // IFLA_IFNAME "net1"
                    0800 0400 78050000                    // IFLA_MTU 1400
                    0800 1c00 09000000                    // IFLA_NET_NS_FD 9
                    """))
    }

    /// The kernel's answer to `tc qdisc show dev g0` after `tc qdisc replace dev g0 root handle 1: pfifo limit 77`, without counters.
    static let newDiscipline = hex(
        """
        4c000000 2400 0200 b742086b 72520000        // 76 bytes, RTM_NEWQDISC, MULTI
        00 00 0000 03000000 00000100 ffffffff 03000000 // struct tcmsg: index 3, handle 1:, parent root, 3 references
        0a00 0100 706669666f00 0000                 // TCA_KIND "pfifo"
        0800 0200 4d000000                          // TCA_OPTIONS 77 packets
        0500 0c00 00 000000                         // TCA_HW_OFFLOAD no
        0c00 0300 00000000 00000000                 // TCA_STATS
        """)

    @Test
    func `a queueing discipline is decoded, and encoded as by tc`() throws {
        let message = try #require(Message.list(Self.newDiscipline[...])?.first)
        let discipline = try #require(QueueingDiscipline(message))
        #expect(
            discipline
                == QueueingDiscipline(kind: "pfifo", handle: 0x10000, parent: QueueingDiscipline.root, options: [77, 0, 0, 0]))
        #expect(
            discipline.payload(index: 3)
                == hex(
                    """
                    00 00 0000 03000000 00000100 ffffffff 00000000
                    0a00 0100 706669666f00 0000
                    0800 0200 4d000000
                    """))
        // A discipline that the kernel chose has the handle 0.
        var chosen = Self.newDiscipline
        chosen.replaceSubrange(24..<28, with: [0, 0, 0, 0])
        #expect(QueueingDiscipline(try #require(Message.list(chosen[...])?.first)) == nil)
        for length in 0..<message.payload.count {
            var cut = message
            cut.payload = message.payload.prefix(length)
            if let read = QueueingDiscipline(cut) { #expect(read.kind == "pfifo" && read.handle == 0x10000, "cut at \(length)") }
        }
    }

    @Test
    func `queueing disciplines are ordered from the root, and a cycle does not hang`() {
        func entry(_ handle: UInt32, in parent: UInt32) -> QueueingDiscipline {
            QueueingDiscipline(kind: "prio", handle: handle << 16, parent: parent)
        }
        let root = entry(1, in: QueueingDiscipline.root)
        let (first, second) = (entry(2, in: 0x10001), entry(3, in: 0x20002))
        let hooks = QueueingDiscipline(kind: "clsact", handle: 0xffff_0000, parent: QueueingDiscipline.hooks)
        #expect(QueueingDiscipline.ordered([second, hooks, first, root]) == [hooks, root, first, second])
        let circle = [entry(4, in: 0x50001), entry(5, in: 0x40001)]
        #expect(QueueingDiscipline.ordered(circle + [root]) == [root] + circle)
        #expect(root.isComplete && hooks.isComplete && !QueueingDiscipline(kind: "htb", handle: 1 << 16, parent: 1).isComplete)
    }

    @Test
    func `an address is encoded as by ip, and decoded again`() throws {
        // ip address replace 10.0.0.5/24 dev 3
        let prefix = try #require(IPPrefix(parsing: "10.0.0.5/24"))
        let address = InterfaceAddress(index: 3, prefix: prefix)
        let payload = address.payload()
        #expect(
            payload
                == hex(
                    """
                    02 18 00 00 03000000  // AF_INET, /24, scope universe, index 3
                    0800 0200 0a000005    // IFA_LOCAL
                    0800 0100 0a000005    // IFA_ADDRESS
                    0800 0800 00000000    // IFA_FLAGS
                    """))
        #expect(InterfaceAddress(Message(type: 20, flags: 0, payload: payload)) == address)
    }

    @Test
    func `an IPv6 address keeps its lifetimes`() throws {
        var address = InterfaceAddress(index: 3, prefix: try #require(IPPrefix(parsing: "2001:db8::5/64")), flags: 2)
        address.preferredLifetime = 1800
        address.validLifetime = 3600
        // struct ifa_cacheinfo (linux/if_addr.h): the preferred lifetime, the valid one, and two times of the kernel's.
        let cache = try #require(Attribute.list(address.payload().dropFirst(8))?.first { $0.type == 6 })
        #expect(Array(cache.value) == hex("08070000 100e0000 00000000 00000000"))
        #expect(InterfaceAddress(Message(type: 20, flags: 0, payload: address.payload())) == address)
    }

    @Test
    func `a route is encoded as by ip, and decoded again`() throws {
        // ip route replace 198.51.100.0/24 via 192.0.2.1 dev 3 proto static
        let route = Route(
            destination: IPPrefix(parsing: "198.51.100.0/24"), isV6: false,
            gateway: IPAddress(parsing: "192.0.2.1"), interface: 3)
        let payload = route.payload()
        #expect(
            payload
                == hex(
                    """
                    02 18 00 00 fe 04 00 01 00000000  // AF_INET, /24, table main, proto static, universe, unicast
                    0800 0100 c6336400                // RTA_DST
                    0800 0500 c0000201                // RTA_GATEWAY
                    0800 0400 03000000                // RTA_OIF
                    0800 0f00 fe000000                // RTA_TABLE
                    """))
        #expect(Route(Message(type: 24, flags: 0, payload: payload)) == route)
    }

    @Test
    func `the kernel's message is read from an acknowledgement`() throws {
        let bytes = hex(
            """
            38000000 0200 0003 07000000 00000000  // 56 bytes, NLMSG_ERROR, CAPPED|ACK_TLVS
            eaffffff                              // -EINVAL
            40000000 1000 0500 07000000 00000000  // the request's header
            1400 0100 4d545520 746f6f20 6c617267 65202100 // "MTU too large !"
            """)
        let message = try #require(Message.list(bytes[...])?.first)
        let acknowledgement = try #require(Acknowledgement(message))
        #expect(acknowledgement.code == 22)
        #expect(acknowledgement.text == "MTU too large !")
    }

    @Test(arguments: [
        "0300 0100",  // shorter than its header
        "0800 0100 aa",  // longer than what is there
        "0000 0000 0000 0000",  // would never advance
    ])
    func `attributes with an invalid length are refused`(text: String) { #expect(Attribute.list(hex(text)[...]) == nil) }

    @Test
    func `noise never traps and never hangs`() {
        var noise = Noise()
        var read = 0
        for _ in 0..<20_000 {
            var bytes = Self.newLink
            for _ in 0..<Int.random(in: 1...8, using: &noise) {
                bytes[Int.random(in: 0..<bytes.count, using: &noise)] = UInt8.random(in: 0...255, using: &noise)
            }
            for message in Message.list(bytes[...]) ?? [] {
                // A name of the kernel has at most 15 bytes, but a damaged message may have any length: the name stays within the
                // message.
                if let link = Link(message) {
                    read += 1
                    #expect(link.name.utf8.count <= 3 * message.payload.count)
                }
                _ = InterfaceAddress(message)
                _ = Route(message)
                _ = Acknowledgement(message)
            }
        }
        #expect((1..<20_000).contains(read))
    }
}

struct AddressTests {
    @Test(arguments: ["10.0.0.5", "2001:db8::1", "::", "fe80::1", "::ffff:10.0.0.1"])
    func `an address prints in its canonical form`(text: String) { #expect(IPAddress(parsing: text)?.description == text) }

    @Test(arguments: ["", "10.0.0", "10.0.0.256", "2001:db8::1::2", "10.0.0.5/24", "a.b.c.d", "1.2.3.4 "])
    func `a malformed address is refused`(text: String) { #expect(IPAddress(parsing: text) == nil) }

    @Test(arguments: ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0", "10.0.0.0/8/8", "::/129", "/8"])
    func `a malformed prefix is refused`(text: String) { #expect(IPPrefix(parsing: text) == nil) }

    @Test
    func `a network has no host bits, and contains its addresses`() throws {
        #expect(try #require(IPPrefix(parsing: "10.1.0.0/15")).isNetwork == false)
        #expect(try #require(IPPrefix(parsing: "10.2.0.0/15")).isNetwork)
        #expect(try #require(IPPrefix(parsing: "0.0.0.0/0")).isNetwork)
        let prefix = try #require(IPPrefix(parsing: "10.2.0.0/15"))
        #expect(prefix.contains(try #require(IPAddress(parsing: "10.3.255.255"))))
        #expect(!prefix.contains(try #require(IPAddress(parsing: "10.4.0.0"))))
        #expect(!prefix.contains(try #require(IPAddress(parsing: "2001:db8::1"))))
    }

    @Test(arguments: ["", "02:00:00:00:00", "02:00:00:00:00:0g", "2:0:0:0:0:0", "02-00-00-00-00-00", "+2:00:00:00:00:01"])
    func `a malformed hardware address is refused`(text: String) { #expect(HardwareAddress(parsing: text) == nil) }
}
