// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Netlink
import NetworkModel
import PodNetwork
import Testbed
import Testing

/// Changes that restore an interface, compared with manually written values, and the recognition of the interface among others.
struct RestorePlanTests {
    private func address(_ text: String) throws -> HardwareAddress { try #require(HardwareAddress(parsing: text)) }

    /// A recorded NIC, number 5 on the host.
    private func link() throws -> Link {
        var link = Link(index: 5, type: 1, flags: 1)
        link.name = "nic0"
        link.mtu = 9000
        link.address = try address("02:00:00:00:00:01")
        link.permanentAddress = try address("02:00:00:00:00:01")
        link.parentDevice = "0000:8a:00.0"
        link.alias = "rail 0"
        link.alternativeNames = ["enp138s0"]
        return link
    }

    private func record() throws -> HostRecord {
        var record = HostRecord(try link())
        record.settings = LinkSettings(
            flags: 0x1000, txQueueLength: 1000, group: 3, sizes: SegmentSizes(gso: 65536, gro: 65535, gsoIPv4: 7, groIPv4: 8, segments: 9),
            ipv4: [0, 1, 2], ipv6: [1])
        return record
    }

    // MARK: Changes

    @Test
    func `a link that equals its record is not changed`() throws {
        let record = try record()
        #expect(record.change(from: try link(), record.settings) == LinkChange())
        #expect(record.names(for: try link(), temporary: "x").isEmpty)
        #expect(record.change(from: try link(), nil).isEmpty)
    }

    @Test
    func `each value that differs is set to the recorded one, and no other value`() throws {
        let record = try record()
        let settings = try #require(record.settings)
        func expect(_ expected: (inout LinkChange) throws -> Void, _ spoil: (inout Link, inout LinkSettings) throws -> Void) throws {
            var (link, now, change) = (try link(), settings, LinkChange())
            try spoil(&link, &now)
            try expected(&change)
            #expect(record.change(from: link, now) == change)
        }
        try expect({ $0.mtu = 9000 }) { link, _ in link.mtu = 1300 }
        try expect({ $0.address = try address("02:00:00:00:00:01") }) { link, _ in link.address = try address("02:de:ad:be:ef:00") }
        try expect({ $0.alias = "rail 0" }) { link, _ in link.alias = nil }
        try expect({ $0.txQueueLength = 1000 }) { _, now in now.txQueueLength = 9 }
        try expect({ $0.group = 3 }) { _, now in now.group = 0 }
        // IFF_PROMISC is set and IFF_MULTICAST (0x1000) is not: both are in the mask, and the recorded one is the value.
        try expect({ $0.flags = .init(0x1000, mask: 0x1100) }) { _, now in now.flags = 0x100 }
        try expect({ $0.sizes.gso = 65536 }) { _, now in now.sizes.gso = 4000 }
        try expect({ $0.sizes.gro = 65535 }) { _, now in now.sizes.gro = 4000 }
        try expect({ $0.sizes.gsoIPv4 = 7 }) { _, now in now.sizes.gsoIPv4 = nil }
        try expect({ $0.sizes.groIPv4 = 8 }) { _, now in now.sizes.groIPv4 = 7 }
        try expect({ $0.sizes.segments = 9 }) { _, now in now.sizes.segments = 1 }
        // The third setting has the number 3.
        try expect({ $0.ipv4 = [3: 2] }) { _, now in now.ipv4 = [0, 1, 7] }
        // A kernel that reports fewer settings has no others to set.
        try expect({ _ in }) { _, now in now.ipv4 = [0] }
    }

    @Test
    func `an alias that the host did not have is removed`() throws {
        var record = try record()
        record.alias = nil
        #expect(record.change(from: try link(), record.settings) == LinkChange(alias: ""))
    }

    @Test
    func `IPv6 settings that differ have the names of their files`() {
        // DEVCONF_FORWARDING, HOPLIMIT, MTU6 and ACCEPT_RA (linux/ipv6.h) are 0 to 3; the MTU is set with the link.
        let record = LinkSettings(flags: 0, ipv6: [1, 64, 1500, 2])
        let missing = record.ipv6Missing(from: LinkSettings(flags: 0, ipv6: [0, 64, 1280, 1]))
        #expect(Dictionary(uniqueKeysWithValues: missing.map { ($0.name, $0.value) }) == ["forwarding": 1, "accept_ra": 2])
        #expect(record.ipv6Missing(from: LinkSettings(flags: 0, ipv6: [1])).isEmpty)
        #expect(LinkSettings(flags: 0, ipv6: [1]).ipv6Missing(from: record).isEmpty)
    }

    @Test
    func `hardware frees a name before it takes its own, and a virtual interface takes its name at once`() throws {
        var (link, record) = (try link(), try record())
        link.name = "net1"
        #expect(record.names(for: link, temporary: "back-1") == ["back-1", "nic0"])
        link.kind = "macvlan"
        #expect(record.names(for: link, temporary: "back-1") == ["nic0"])
        link.kind = nil
        record.permanentAddress = nil
        #expect(record.names(for: link, temporary: "back-1") == ["nic0"])
    }

    @Test
    func `addresses have their remaining lifetimes, and IPv6 addresses are set oldest first`() throws {
        var record = try record()
        func address(_ text: String, _ preferred: UInt32?, _ valid: UInt32?, on index: Int32 = 5) throws -> InterfaceAddress {
            var address = InterfaceAddress(index: index, prefix: try #require(IPPrefix(parsing: text)))
            (address.preferredLifetime, address.validLifetime) = (preferred, valid)
            return address
        }
        record.addresses = [
            try address("2001:db8::2/64", nil, nil), try address("2001:db8::1/64", 900, 7200), try address("192.0.2.1/24", 100, 1000),
            try address("192.0.2.2/24", nil, 101),
        ]
        #expect(
            record.addresses(after: 100, on: 9) == [
                try address("192.0.2.1/24", 0, 900, on: 9), try address("192.0.2.2/24", nil, 1, on: 9),
                try address("2001:db8::1/64", 800, 7100, on: 9), try address("2001:db8::2/64", nil, nil, on: 9),
            ])
        #expect(record.addresses(after: 101, on: 9).map(\.prefix.description) == ["192.0.2.1/24", "2001:db8::1/64", "2001:db8::2/64"])
        // A clock that has gone backwards does not change lifetimes.
        #expect(record.addresses(after: -7, on: 5) == [record.addresses[2], record.addresses[3], record.addresses[1], record.addresses[0]])
    }

    @Test
    func `routes get the interface's new number, and are set only if it was up`() throws {
        var record = try record()
        let gateway = try #require(IPAddress(parsing: "192.0.2.254"))
        record.routes = [
            Route(destination: nil, isV6: false, gateway: gateway, interface: 5), Route(destination: nil, isV6: false, interface: 6),
        ]
        #expect(
            record.routes(on: 9) == [
                Route(destination: nil, isV6: false, gateway: gateway, interface: 9), Route(destination: nil, isV6: false, interface: 6),
            ])
        record.isUp = false
        #expect(record.routes(on: 9).isEmpty)
    }

    @Test
    func `each differing setting of a virtual function is one request to its physical function`() throws {
        var before = VirtualFunction(number: 3)
        before.settings.hardwareAddress = try address("02:00:00:00:00:01")
        (before.settings.vlan, before.settings.isTrusted, before.settings.checksSpoofing) = (100, false, true)
        (before.settings.minimalRate, before.settings.maximalRate) = (10, 20)
        func requests(_ before: VirtualFunction, _ spoil: (inout VirtualFunctionSettings) -> Void) -> [[UInt8]] {
            var now = before
            spoil(&now.settings)
            return now.changes(to: before, ofParent: 7, named: "pf").map(\.payload)
        }
        /// struct ifinfomsg of interface 7, IFLA_VFINFO_LIST (22), IFLA_VF_INFO (1), and a structure that begins with the number 3.
        func expected(_ type: Int, _ values: String) -> [UInt8] {
            let value = hex("03000000" + values)
            let size = UInt8(value.count + 4)
            return hex("00000000 07000000 00000000 00000000") + [size + 8, 0, 22, 0x80, size + 4, 0, 1, 0x80, size, 0, UInt8(type), 0]
                + value
        }
        #expect(requests(before) { _ in } == [])
        let zeros = String(repeating: "00", count: 26)
        #expect(requests(before) { $0.hardwareAddress = nil } == [expected(1, "020000000001" + zeros)])
        #expect(requests(before) { $0.vlan = 0 } == [expected(2, "64000000 00000000")])
        #expect(requests(before) { $0.isTrusted = true } == [expected(9, "00000000")])
        #expect(requests(before) { $0.checksSpoofing = false } == [expected(4, "01000000")])
        #expect(requests(before) { $0.minimalRate = 0 } == [expected(6, "0a000000 14000000")])
        #expect(requests(before) { $0.maximalRate = 0 } == [expected(6, "0a000000 14000000")])
        // These two are recorded only if the physical function itself moved into a pod.
        #expect(requests(before) { ($0.vlanPriority, $0.linkState) = (5, 1) } == [])
        (before.settings.vlanPriority, before.settings.linkState) = (4, 2)
        #expect(requests(before) { $0.vlanPriority = 5 } == [expected(2, "64000000 04000000")])
        #expect(requests(before) { $0.linkState = 1 } == [expected(5, "02000000")])
    }
}
