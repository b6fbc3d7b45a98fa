// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import Netlink
import NetworkModel
import Testbed
import Testing

/// Structures of linux/ethtool.h byte by byte, and their use with a driver in memory.
struct DriverSettingsTests {
    /// struct ethtool_rx_flow_spec of TCP_V4_FLOW to 192.0.2.1 port 80, to queue 3 at location 7: the key and its mask at 4 and 76,
    /// ring_cookie at 152, location at 160.
    private static let rule = hex(
        """
        01000000 00000000c0000201 0000 0050 00 \(zeros(39)) \(zeros(20))
        00000000ffffffff 0000 ffff 00 \(zeros(39)) \(zeros(20))
        00000000 0300000000000000 07000000 00000000
        """)

    private static func zeros(_ count: Int) -> String { String(repeating: "00", count: count) }

    @Test
    func `a flow rule is decoded and encoded as in the kernel's structure`() throws {
        #expect(Self.rule.count == FlowRule.size)
        let rule = try #require(FlowRule(specification: Self.rule))
        #expect(rule.location == 7 && rule.context == nil)
        var insert = FlowCall(0x32)  // ETHTOOL_SRXCLSRLINS
        insert.rule = rule
        #expect(insert.bytes == hex("32000000 00000000 0000000000000000") + Self.rule + hex("00000000 00000000"))
        #expect(insert.rule == rule && insert.location == 7)
        // FLOW_RSS: rss_context follows.
        var spread = Self.rule
        spread[3] = 0x20
        insert.rule = FlowRule(specification: spread, context: 5)
        #expect(insert.bytes[184] == 5 && insert.rule?.context == 5)
    }

    @Test
    func `locations are read up to the list's end, independent of the reported count`() {
        var list = FlowCall(0x30, locations: 3)  // ETHTOOL_GRXCLSRLALL
        #expect(list.bytes.count == 200)
        list.bytes.replaceSubrange(188..<200, with: hex("01000000 02000000 ff000000"))
        for (count, expected) in [(0, []), (2, [1, 2]), (3, [1, 2, 255]), (UInt32.max, [1, 2, 255])] as [(UInt32, [UInt32])] {
            list.count = count
            #expect(list.locations(atMost: 3) == expected)
            #expect(list.locations(atMost: 1000) == expected)
        }
    }

    @Test
    func `an RSS table is encoded as in the kernel's structure, and only differences are set`() throws {
        // ETHTOOL_GRSSH (0x46) of context 0 with 4 entries and a key of 5 bytes, by ETH_RSS_HASH_TOP.
        let bytes = hex("46000000 00000000 04000000 05000000 01 000000 00000000 00000000 01000000 00000000 01000000 6d5a56da25")
        var read = SpreadingCall(0x46, 0, entries: 4, keyBytes: 5)
        #expect(read.bytes.count == bytes.count)
        read.bytes = bytes
        let context = try #require(read.context(entries: 4, keyBytes: 5))
        #expect(context == RSSContext(number: 0, hashFunction: 1, transformation: 0, table: [0, 1, 0, 1], key: hex("6d5a56da25")))
        #expect(context.queues == 2 && context.entries == nil && context.isWhole)
        var other = RSSContext(number: 0, hashFunction: 2, transformation: 0, table: [1, 1, 0, 1], key: hex("6d5a56da25"))
        #expect(other.queues == nil && other.isWhole)
        #expect(
            SpreadingCall(setting: context, unlike: other, number: 0).bytes
                == hex("47000000 00000000 04000000 00000000 01 000000 00000000 00000000 01000000 00000000 01000000"))
        #expect(
            SpreadingCall(setting: context, unlike: other, number: 0, hasDefaultTable: true).bytes
                == hex("47000000 00000000 00000000 00000000 01 000000 00000000"))
        other = context
        other.key = HexBytes(hex("0000000000"))
        // ETH_RXFH_INDIR_NO_CHANGE and ETH_RSS_HASH_NO_CHANGE.
        #expect(
            SpreadingCall(setting: context, unlike: other, number: 0).bytes
                == hex("47000000 00000000 ffffffff 05000000 00 000000 00000000 6d5a56da25"))
    }

    @Test
    func `truncated structures are refused`() {
        for count in 0..<FlowRule.size { #expect(FlowRule(specification: Array(Self.rule[..<count])) == nil) }
        var read = FlowCall(0x2f)
        read.rule = FlowRule(specification: Self.rule)
        let whole = read.bytes
        for count in 0..<188 {
            read.bytes = Array(whole[..<count])
            #expect(read.rule == nil)
            _ = (read.location, read.count, read.choosesLocations, read.locations(atMost: 9))
        }
        let table = hex("46000000 00000000 02000000 02000000 01000000 00000000 00000000 01000000 6d5a")
        for count in table.indices {
            var read = SpreadingCall(0x46, 0)
            read.bytes = Array(table[..<count])
            #expect(read.context(entries: 2, keyBytes: 2) == nil, "\(count) bytes")
        }
    }

    @Test
    func `settings are encoded as text in a state, and decoded from it`() throws {
        let driver = DriverInMemory()
        driver.rules[7] = Self.rule
        let settings = try driver.settings()
        let text = try JSONEncoder().encode(settings)
        #expect(try JSONDecoder().decode(DriverSettings.self, from: text) == settings)
        for bad in ["\"0\"", "\"0g\"", "\"0A\"", "\"0x12\"", "[0]"] {
            #expect(throws: DecodingError.self) { try JSONDecoder().decode(HexBytes.self, from: Data(bad.utf8)) }
        }
    }

    @Test
    func `parts that differ from a record are listed, and a part that the record lacks is ignored`() throws {
        let (one, two) = (
            try #require(FlowRule(specification: Self.rule)), try #require(FlowRule(specification: Array(Self.rule.reversed())))
        )
        func settings(_ rules: [FlowRule]?) -> DriverSettings {
            DriverSettings(
                rules: rules, contexts: [RSSContext(number: 0, hashFunction: 1, transformation: 0, table: [0, 1], key: [])],
                hashFields: [HashFields(flow: 1, fields: 0x30)], timestamping: HexBytes(hex("000000000000000000000000")))
        }
        let record = settings([one, two])
        #expect(record.differences(from: record).isEmpty && record.differences(from: DriverSettings()).isEmpty)
        #expect(DriverSettings().differences(from: record) == [.rules, .contexts, .hashFields, .timestamping])
        // A rule is missing, is foreign, or replaces another one as a duplicate.
        for rules in [[one], [one, two, one], [one, one], []] as [[FlowRule]] {
            #expect(settings(rules).differences(from: record) == [.rules], "\(rules.count)")
        }
        #expect(settings([one, two]).differences(from: settings(nil)).isEmpty)
        #expect(settings([two, one]).differences(from: record).isEmpty, "the order of rules is irrelevant")
    }

    @Test
    func `a table without queues has no entries, and all flow types of the kernel are requested`() throws {
        let text = #"{"number":0,"hashFunction":1,"transformation":0,"size":2,"queues":0,"key":""}"#
        let context = try JSONDecoder().decode(RSSContext.self, from: Data(text.utf8))
        #expect(!context.isWhole && context.table.isEmpty)
        // linux/ethtool.h: TCP_V4_FLOW to ESP_V6_FLOW, IPV4_FLOW, IPV6_FLOW, and GTPU_V4_FLOW to GTPU_DL_V6_FLOW; ETHER_FLOW is not a type of RSS.
        #expect(
            HashFields.flows == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28])
    }

    @Test
    func `driver settings that a pod changed or removed are restored`() throws {
        let driver = DriverInMemory()
        driver.rules[7] = Self.rule
        let before = try driver.settings()
        driver.rules = [3: Self.rule, 9: Self.rule]
        driver.contexts[0]?.table = [1, 1, 1, 1]
        driver.contexts[0]?.key = [9, 9, 9, 9]
        driver.contexts[2] = driver.contexts[0]
        driver.fields[2] = 0
        driver.timestamping = hex("00000000 01000000 01000000")
        try driver.prepare(before)
        #expect(try driver.restore(before) == [])
        #expect(try driver.settings() == before)
        #expect(!driver.hasOwnTable, "the table was set explicitly")
        // Equal settings are not set again.
        driver.sets = 0
        #expect(try driver.restore(before) == [] && driver.sets == 0)
    }

    @Test
    func `settings that a driver does not restore are reported by name`() throws {
        let driver = DriverInMemory()
        let before = try driver.settings()
        driver.rules[3] = Self.rule
        driver.contexts[0]?.table = [1, 1, 1, 1]
        driver.fields[2] = 0
        driver.timestamping = hex("00000000 01000000 01000000")
        driver.refusal = EBUSY
        #expect(
            try driver.restore(before) == [
                "n-tuple rules: cannot delete rule 3: Device or resource busy",
                "RSS contexts: cannot set the default table: Device or resource busy",
                "RSS hash fields: cannot set the fields of flow type 2: Device or resource busy",
                "hardware timestamping: cannot set it: Device or resource busy",
            ])
        // A driver that reports success and does nothing.
        driver.refusal = 0
        #expect(try driver.restore(before).map { $0.suffix(30) } == Array(repeating: "the driver did not accept them", count: 4))
    }

    @Test
    func `a driver that chooses locations gets any location, and rules are compared without it`() throws {
        let driver = DriverInMemory()
        driver.choosesLocations = true
        driver.rules[7] = Self.rule
        let before = try driver.settings()
        driver.rules = [1: Self.rule]
        driver.sets = 0
        #expect(try driver.restore(before) == [] && driver.sets == 0)
        driver.rules = [:]
        #expect(try driver.restore(before) == [])
        #expect(driver.rules.keys.sorted() == [100])
    }

    @Test(arguments: [16_385, 0x7fff_ffff, 0xffff_ffff] as [UInt32])
    func `more rules than any NIC supports are refused`(count: UInt32) {
        let driver = DriverInMemory()
        driver.toldRules = count
        #expect(throws: (any Error).self) { try driver.settings() }
        #expect(driver.calls(0x30) == 0)
    }

    @Test
    func `a driver without settings costs one call for each part`() throws {
        let driver = DriverInMemory()
        driver.hasNothing = true
        #expect(try driver.settings() == DriverSettings())
        #expect(driver.made == 4)
    }
}
