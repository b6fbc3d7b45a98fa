// SPDX-License-Identifier: Apache-2.0

/// Settings of an interface that its driver keeps when the interface changes its network namespace, and that only ioctl(2) reads and
/// sets.
///
/// Each part is nil or empty if the driver does not support it. Source: linux/ethtool.h and linux/net_tstamp.h.
package struct DriverSettings: Hashable, Sendable, Codable {
    /// N-tuple rules (`ethtool -n`), sorted by location.
    package var rules: [FlowRule]?
    /// True if the driver chooses the location of a rule (RX_CLS_LOC_SPECIAL); then rules are compared without it.
    package var choosesLocations: Bool
    /// RSS contexts (`ethtool -x`), sorted by number. The interface's own context is 0.
    package var contexts: [RSSContext]?
    /// Header fields in the RSS hash (`ethtool -n INTERFACE rx-flow-hash FLOW`), sorted by type of flow.
    package var hashFields: [HashFields]
    /// struct hwtstamp_config: flags, type of transmitted packets, filter of received packets.
    package var timestamping: HexBytes?

    package init(
        rules: [FlowRule]? = nil, choosesLocations: Bool = false, contexts: [RSSContext]? = nil, hashFields: [HashFields] = [],
        timestamping: HexBytes? = nil
    ) {
        self.rules = rules
        self.choosesLocations = choosesLocations
        self.contexts = contexts
        self.hashFields = hashFields
        self.timestamping = timestamping
    }

    /// Limits for the numbers of a driver. A table of the largest NICs has 8192 rules and 4096 entries.
    package enum Limit {
        package static let rules = 16_384
        /// The highest number at which contexts are probed, because older kernels cannot list them. Drivers assign the lowest free
        /// number, and support at most 32 contexts.
        package static let contexts: UInt32 = 63
        package static let tableEntries = 65_536
        package static let keyBytes = 4096
    }

    /// A part that can differ from the record.
    package enum Part: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
        case rules = "n-tuple rules"
        case contexts = "RSS contexts"
        case hashFields = "RSS hash fields"
        case timestamping = "hardware timestamping"

        package var description: String { rawValue }
    }

    /// The parts that differ from the record. Parts that the record lacks are ignored.
    package func differences(from record: DriverSettings) -> [Part] {
        Part.allCases.filter { part in
            switch part {
            case .rules:
                guard let before = record.rules else { return false }
                guard let rules else { return true }
                return !record.missing(from: rules).isEmpty || !record.foreign(in: rules).isEmpty || rules.count != before.count
            case .contexts: return record.contexts != nil && record.contexts != contexts
            case .hashFields: return !record.hashFieldsMissing(from: hashFields).isEmpty
            case .timestamping: return record.timestamping != nil && record.timestamping != timestamping
            }
        }
    }

    /// Recorded rules that are missing now.
    package func missing(from now: [FlowRule]) -> [FlowRule] {
        let keys = Set(now.map(key))
        return (rules ?? []).filter { !keys.contains(key($0)) }
    }

    /// Rules that are not recorded.
    package func foreign(in now: [FlowRule]) -> [FlowRule] {
        let keys = Set((rules ?? []).map(key))
        return now.filter { !keys.contains(key($0)) }
    }

    private func key(_ rule: FlowRule) -> FlowRule {
        var rule = rule
        if choosesLocations { rule.location = 0 }
        return rule
    }

    /// Returns the recorded hash fields that the current settings lack.
    package func hashFieldsMissing(from now: [HashFields]) -> [HashFields] { hashFields.filter { !now.contains($0) } }
}

/// An n-tuple rule: struct ethtool_rx_flow_spec as reported by the driver, and the rule's RSS context.
package struct FlowRule: Hashable, Sendable, Codable {
    package private(set) var specification: HexBytes
    /// Nil for a rule without the flag FLOW_RSS.
    package var context: UInt32?

    /// The size of the specification, and the offset of the location in it.
    package static let size = 168
    private static let locationOffset = 160
    private static let spreads: UInt32 = 0x2000_0000

    /// Nil if the specification has another size.
    package init?(specification: [UInt8], context: UInt32 = 0) {
        guard specification.count == Self.size, let flow = ByteReader.integer(UInt32.self, at: 0, of: specification) else { return nil }
        self.specification = HexBytes(specification)
        self.context = flow & Self.spreads == 0 ? nil : context
    }

    package var location: UInt32 {
        get { ByteReader.integer(UInt32.self, at: Self.locationOffset, of: specification.bytes) ?? 0 }
        set { specification.bytes.put(newValue, at: Self.locationOffset) }
    }
}

/// The distribution of received packets over queues: struct ethtool_rxfh.
package struct RSSContext: Hashable, Sendable, Codable {
    package var number: UInt32
    /// ETH_RSS_HASH_ bits, and RXH_XFRM_ bits of Linux 6.8 and newer.
    package var hashFunction: UInt8
    package var transformation: UInt8
    /// The number of entries of the table.
    package var size: UInt32
    /// The number of queues of a round-robin table, the drivers' default (ethtool_rxfh_indir_default); nil for any other table.
    package var queues: UInt32?
    /// The table with 4 bytes for each entry, if it is not round-robin.
    package var entries: HexBytes?
    package var key: HexBytes

    package init(number: UInt32, hashFunction: UInt8, transformation: UInt8, table: [UInt32], key: [UInt8]) {
        self.number = number
        self.hashFunction = hashFunction
        self.transformation = transformation
        size = UInt32(clamping: table.count)
        self.key = HexBytes(key)
        let count = UInt64(table.max() ?? 0) + 1
        if table.indices.allSatisfy({ UInt64(table[$0]) == UInt64($0) % count }) {
            queues = UInt32(clamping: count)
        } else {
            entries = HexBytes(Self.bytes(table))
        }
    }

    /// True if the context is within ``DriverSettings/Limit``, and its table has the stated size.
    package var isWhole: Bool {
        guard size <= DriverSettings.Limit.tableEntries, key.bytes.count <= DriverSettings.Limit.keyBytes else { return false }
        return entries.map { queues == nil && $0.bytes.count == 4 * Int(size) } ?? ((queues ?? 0) > 0)
    }

    /// The bytes of the table.
    package var table: [UInt8] {
        if let entries { return entries.bytes }
        guard let queues, queues > 0 else { return [] }
        return Self.bytes((0..<size).map { $0 % queues })
    }

    private static func bytes(_ entries: [UInt32]) -> [UInt8] { entries.flatMap(\.hostBytes) }
}

/// The header fields in the RSS hash of a type of flow.
package struct HashFields: Hashable, Sendable, Codable {
    /// Flow type: TCP_V4_FLOW and the others of linux/ethtool.h.
    package var flow: UInt32
    /// RXH_ bits.
    package var fields: UInt64

    package init(flow: UInt32, fields: UInt64) {
        self.flow = flow
        self.fields = fields
    }

    /// All types with readable fields; the last ten exist since Linux 6.9.
    package static let flows: [UInt32] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x10, 0x11] + Array(0x13...0x1c)
}
