// SPDX-License-Identifier: Apache-2.0

import CLinux
package import NetworkModel

/// struct ethtool_rxnfc (linux/ethtool.h) on 64-bit machines.
///
///      0     4           8      16                  184            188
///     +-----+-----------+------+-------------------+--------------+---------------- - -
///     | cmd | flow_type | data | fs (168)          | count or RSS | rule_locs (4 each)
///     +-----+-----------+------+-------------------+--------------+---------------- - -
package struct FlowCall: Hashable, Sendable {
    package var bytes: [UInt8]

    package static let size = 192
    private static let locationsOffset = 188

    package init(_ command: Int32, locations: Int = 0) {
        bytes = [UInt8](repeating: 0, count: max(Self.size, Self.locationsOffset + 4 * locations))
        bytes.put(command, at: 0)
    }

    private func integer<Value: FixedWidthInteger>(_ type: Value.Type, _ offset: Int) -> Value {
        ByteReader.integer(type, at: offset, of: bytes) ?? 0
    }

    var flow: UInt32 {
        get { integer(UInt32.self, 4) }
        set { bytes.put(newValue, at: 4) }
    }
    var data: UInt64 {
        get { integer(UInt64.self, 8) }
        set { bytes.put(newValue, at: 8) }
    }
    /// The location in fs.
    package var location: UInt32 {
        get { integer(UInt32.self, 176) }
        set { bytes.put(newValue, at: 176) }
    }
    package var count: UInt32 {
        get { integer(UInt32.self, 184) }
        set { bytes.put(newValue, at: 184) }
    }
    /// RX_CLS_LOC_SPECIAL.
    package var choosesLocations: Bool { data & 0x8000_0000 != 0 }

    /// The list of locations; the answer can have fewer.
    package func locations(atMost limit: Int) -> [UInt32] {
        (0..<min(limit, Int(count))).compactMap { ByteReader.integer(UInt32.self, at: Self.locationsOffset + 4 * $0, of: bytes) }
    }

    /// Nil if the structure is truncated.
    package var rule: FlowRule? {
        get {
            guard bytes.count >= Self.locationsOffset else { return nil }
            return FlowRule(specification: Array(bytes[16..<184]), context: count)
        }
        set {
            guard let newValue, bytes.count >= Self.locationsOffset else { return }
            bytes.replaceSubrange(16..<184, with: newValue.specification.bytes)
            count = newValue.context ?? 0
            location = newValue.location
        }
    }
}

/// struct ethtool_rxfh (linux/ethtool.h).
///
///      0     4             8            12         16      17      20        24
///     +-----+-------------+------------+----------+-------+-------+---------+-------------------------- - -
///     | cmd | rss_context | indir_size | key_size | hfunc | xfrm  |         | table (4 each), then key
///     +-----+-------------+------------+----------+-------+-------+---------+-------------------------- - -
package struct SpreadingCall: Hashable, Sendable {
    package var bytes: [UInt8]

    private static let header = 24
    /// ETH_RXFH_INDIR_NO_CHANGE.
    private static let noChange = UInt32.max

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// A call that reads or deletes a context, without a table.
    package init(_ command: Int32, _ number: UInt32, entries: Int = 0, keyBytes: Int = 0) {
        bytes = [UInt8](repeating: 0, count: Self.header + 4 * entries + keyBytes)
        bytes.put(command, at: 0)
        bytes.put(number, at: 4)
        bytes.put(UInt32(clamping: entries), at: 8)
        bytes.put(UInt32(clamping: keyBytes), at: 12)
    }

    /// A call that sets the differences from the present context.
    ///
    /// - Parameter hasDefaultTable: true to request the driver's own table, with a size of 0.
    package init(setting context: RSSContext, unlike now: RSSContext?, number: UInt32, hasDefaultTable: Bool = false) {
        let table = now?.table == context.table || hasDefaultTable ? [] : context.table
        let key = now?.key == context.key ? [] : context.key.bytes
        self.init(ETHTOOL_SRSSH, number, entries: table.count / 4, keyBytes: key.count)
        if table.isEmpty, !hasDefaultTable { bytes.put(Self.noChange, at: 8) }
        // 0 is ETH_RSS_HASH_NO_CHANGE.
        bytes[16] = now?.hashFunction == context.hashFunction ? 0 : context.hashFunction
        bytes[17] = context.transformation
        bytes.replaceSubrange(Self.header..., with: table + key)
    }

    package var number: UInt32 { integer(4) }
    package var tableSize: UInt32 { integer(8) }
    package var keySize: UInt32 { integer(12) }

    private func integer(_ offset: Int) -> UInt32 { ByteReader.integer(UInt32.self, at: offset, of: bytes) ?? 0 }

    /// Nil if the structure is shorter than its header, table and key.
    package func context(entries: Int, keyBytes: Int) -> RSSContext? {
        var reader = ByteReader(bytes)
        guard reader.skip(Self.header), let table = reader.take(4 * entries), let key = reader.take(keyBytes) else { return nil }
        var list = ByteReader(table)
        var numbers: [UInt32] = []
        numbers.reserveCapacity(entries)
        while let entry = list.integer(UInt32.self) { numbers.append(entry) }
        return RSSContext(number: number, hashFunction: bytes[16], transformation: bytes[17], table: numbers, key: Array(key))
    }
}
