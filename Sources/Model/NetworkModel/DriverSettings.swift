// SPDX-License-Identifier: Apache-2.0

/// Settings of an interface that its driver keeps through a change of network namespace, and that only calls of ioctl(2) read and set.
///
/// Each part is nil, or empty, where the driver does not have it. Source: linux/ethtool.h and linux/net_tstamp.h.
package struct DriverSettings: Hashable, Sendable, Codable {
    /// N-tuple rules (`ethtool -n`), ordered by location.
    package var rules: [FlowRule]?
    /// True when the driver chooses where a rule goes (RX_CLS_LOC_SPECIAL): then a rule is the same at any location.
    package var choosesLocations: Bool
    /// RSS contexts (`ethtool -x`), ordered by number. 0 is that of the interface itself.
    package var contexts: [RSSContext]?
    /// Header fields that RSS hashes (`ethtool -n INTERFACE rx-flow-hash FLOW`), ordered by type of flow.
    package var hashFields: [HashFields]
    /// struct hwtstamp_config: flags, kind of transmitted packets, filter of received ones.
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

    /// Numbers that a driver tells are believed up to these. A table of the largest NICs has 8192 rules and 4096 entries.
    package enum Limit {
        package static let rules = 16_384
        /// Contexts are looked for by their numbers up to this, as older kernels have no list of them. Drivers give the lowest number first, and
        /// the most that one has is 32.
        package static let contexts: UInt32 = 63
        package static let tableEntries = 65_536
        package static let keyBytes = 4096
    }

    /// A part that differs from the recorded one.
    package enum Part: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
        case rules = "n-tuple rules"
        case contexts = "RSS contexts"
        case hashFields = "RSS hash fields"
        case timestamping = "hardware timestamping"

        package var description: String { rawValue }
    }

    /// The parts that are not as recorded. A part that the record does not have says nothing.
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

    /// Recorded rules that are not among these.
    package func missing(from now: [FlowRule]) -> [FlowRule] {
        let keys = Set(now.map(key))
        return (rules ?? []).filter { !keys.contains(key($0)) }
    }

    /// Those of the rules that are not recorded.
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

/// An n-tuple rule: struct ethtool_rx_flow_spec as the driver tells it, and the RSS context that it spreads packets by.
package struct FlowRule: Hashable, Sendable, Codable {
    package private(set) var specification: HexBytes
    /// Only of a rule with the flag FLOW_RSS.
    package var context: UInt32?

    /// Bytes of the specification, and where in it the location is.
    package static let size = 168
    private static let locationOffset = 160
    private static let spreads: UInt32 = 0x2000_0000

    /// Nil when the specification has another size.
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

/// A way to spread received packets over queues: struct ethtool_rxfh.
package struct RSSContext: Hashable, Sendable, Codable {
    package var number: UInt32
    /// ETH_RSS_HASH_ bits, and RXH_XFRM_ bits of Linux 6.8 and newer.
    package var hashFunction: UInt8
    package var transformation: UInt8
    /// Entries of the table.
    package var size: UInt32
    /// The number of queues of a table that goes around all of them, as drivers make it (ethtool_rxfh_indir_default); otherwise nil.
    package var queues: UInt32?
    /// The table with 4 bytes for each entry, where it is another one.
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

    /// True when it is within ``DriverSettings/Limit``, and has a table of its size.
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

    private static func bytes(_ entries: [UInt32]) -> [UInt8] { entries.flatMap { entry in withUnsafeBytes(of: entry) { [UInt8]($0) } } }
}

/// The header fields of a type of flow that RSS hashes.
package struct HashFields: Hashable, Sendable, Codable {
    /// Flow type: TCP_V4_FLOW and the others of linux/ethtool.h.
    package var flow: UInt32
    /// RXH_ bits.
    package var fields: UInt64

    package init(flow: UInt32, fields: UInt64) {
        self.flow = flow
        self.fields = fields
    }

    /// All types whose fields can be asked for; the last ten are of Linux 6.9 and newer.
    package static let flows: [UInt32] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x10, 0x11] + Array(0x13...0x1c)
}
