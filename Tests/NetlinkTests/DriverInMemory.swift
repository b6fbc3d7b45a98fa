// SPDX-License-Identifier: Apache-2.0

import Glibc
import Netlink
import NetworkModel

/// A driver with four queues that answers ioctl(2) with the structures of linux/ethtool.h, using independent offsets.
final class DriverInMemory {
    struct Context {
        var table: [UInt32]
        var key: [UInt8]
    }

    var rules: [UInt32: [UInt8]] = [:]
    var choosesLocations = false
    /// Reported instead of the number of rules.
    var toldRules: UInt32?
    var contexts: [UInt32: Context] = [0: Context(table: [0, 1, 2, 3], key: [1, 2, 3, 4])]
    /// The kernel remembers that a table was set.
    var hasOwnTable = false
    var fields: [UInt32: UInt64] = [1: 0xf0, 2: 0x30]
    var timestamping = [UInt8](repeating: 0, count: 12)
    var hasNothing = false
    /// The answer to every setting, which is not applied; 0 claims success.
    var refusal: Int32?
    var sets = 0
    var made = 0
    private var counts: [UInt32: Int] = [:]

    private var calls: DriverCalls { DriverCalls(interface: "nic0") { [unowned self] in self.answer($0, &$1) } }

    func prepare(_ record: DriverSettings) throws { try calls.prepare(record) }
    func settings() throws -> DriverSettings { try calls.settings() }
    func restore(_ record: DriverSettings) throws -> [String] { try calls.restore(record) }

    /// The number of uses of a command.
    func calls(_ command: UInt32) -> Int { counts[command] ?? 0 }

    private func answer(_ request: UInt, _ bytes: inout [UInt8]) -> Int32 {
        made += 1
        if hasNothing { return EOPNOTSUPP }
        if request == 0x89b1 {
            bytes = timestamping
            return 0
        }
        let command = request == 0x8946 ? bytes.number(0) : 0
        counts[command, default: 0] += 1
        let isSetting = request == 0x89b0 || [0x2a, 0x31, 0x32, 0x47].contains(command)
        if isSetting {
            sets += 1
            if let refusal { return refusal }
        }
        if request == 0x89b0 {
            timestamping = bytes
            return 0
        }
        return command == 0x46 || command == 0x47 ? spread(command, &bytes) : flow(command, &bytes)
    }

    private func flow(_ command: UInt32, _ bytes: inout [UInt8]) -> Int32 {
        let location = bytes.number(176)
        switch command {
        case 0x2e:
            bytes.set(toldRules ?? UInt32(rules.count), 184)
            bytes.set(choosesLocations ? 0x8000_0000 : 1024, 8)
        case 0x30:
            guard bytes.count >= 188 + 4 * rules.count else { return EMSGSIZE }
            for (place, rule) in rules.keys.sorted().enumerated() { bytes.set(rule, 188 + 4 * place) }
            bytes.set(UInt32(rules.count), 184)
        case 0x2f:
            guard let rule = rules[location] else { return ENOENT }
            bytes.replaceSubrange(16..<184, with: rule)
            bytes.set(location, 176)
        case 0x31: return rules.removeValue(forKey: location) == nil ? ENOENT : 0
        case 0x32:
            guard choosesLocations == (location == UInt32.max) else { return EINVAL }
            rules[choosesLocations ? 100 : location] = Array(bytes[16..<184])
        case 0x29:
            guard let value = fields[bytes.number(4)] else { return EINVAL }
            bytes.set(UInt32(value), 8)
        case 0x2a: fields[bytes.number(4)] = UInt64(bytes.number(8))
        default: return EOPNOTSUPP
        }
        return 0
    }

    private func spread(_ command: UInt32, _ bytes: inout [UInt8]) -> Int32 {
        let (number, size, keySize) = (bytes.number(4), bytes.number(8), Int(bytes.number(12)))
        guard var context = contexts[number] else { return ENOENT }
        if command == 0x46 {
            (bytes[8], bytes[12], bytes[16]) = (4, 4, 1)
            guard size == 4 else { return 0 }
            for (place, entry) in context.table.enumerated() { bytes.set(entry, 24 + 4 * place) }
            bytes.replaceSubrange(40..<44, with: context.key)
            return 0
        }
        if size == 0, number != 0 {
            contexts[number] = nil
            return 0
        }
        if size == 0 { (context.table, hasOwnTable) = ([0, 1, 2, 3], false) }
        let entries = size == UInt32.max ? 0 : Int(size)
        if entries > 0 { (context.table, hasOwnTable) = ((0..<entries).map { bytes.number(24 + 4 * $0) }, true) }
        if keySize > 0 { context.key = Array(bytes[(24 + 4 * entries)...]) }
        contexts[number] = context
        return 0
    }
}

extension [UInt8] {
    fileprivate func number(_ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(self[offset + $1]) << UInt32(8 * $1) }
    }

    fileprivate mutating func set(_ value: UInt32, _ offset: Int) {
        for place in 0..<4 { self[offset + place] = UInt8(value >> UInt32(8 * place) & 255) }
    }
}
