// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Linux
package import NetworkModel

/// Settings of interfaces that drivers report over the kernel's generic netlink family `ethtool`
/// (Documentation/networking/ethtool-netlink.rst).
package struct Ethtool {
    let socket: NetlinkSocket
    private let family: UInt16

    /// Opens the same family in the calling thread's namespace.
    package init(like other: Ethtool) throws(NetlinkError) {
        socket = try NetlinkSocket(family: NETLINK_GENERIC)
        family = other.family
    }

    /// Nil if the kernel lacks the family (before 5.6).
    package init?() throws(NetlinkError) {
        socket = try NetlinkSocket(family: NETLINK_GENERIC)
        var builder = MessageBuilder([UInt8(CTRL_CMD_GETFAMILY), 1, 0, 0])
        builder.attribute(Int(CTRL_ATTR_FAMILY_NAME), text: ETHTOOL_GENL_NAME)
        do throws(NetlinkError) {
            let answer = try socket.get(
                "look up the netlink family ethtool", type: Int(GENL_ID_CTRL), payload: builder.body)
            guard let id = Self.attributes(of: answer)?[type: Int(CTRL_ATTR_FAMILY_ID)]?.integer(UInt16.self) else {
                return nil
            }
            family = id
        } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
    }

    /// Speeds in Mb/s by interface index, in one dump. Interfaces with an unknown speed are missing.
    package func speeds() throws(NetlinkError) -> [Int32: Int] {
        var builder = MessageBuilder([UInt8(ETHTOOL_MSG_LINKMODES_GET), UInt8(ETHTOOL_GENL_VERSION), 0, 0])
        builder.nested(Int(ETHTOOL_A_LINKMODES_HEADER)) {
            $0.attribute(Int(ETHTOOL_A_HEADER_FLAGS), integer: UInt32(1))  // ETHTOOL_FLAG_COMPACT_BITSETS
        }
        var speeds: [Int32: Int] = [:]
        for message in try socket.dump("list link modes", type: Int(family), payload: builder.body) {
            guard let attributes = Self.attributes(of: message),
                let header = attributes[type: Int(ETHTOOL_A_LINKMODES_HEADER)]?.nested,
                let index = header[type: Int(ETHTOOL_A_HEADER_DEV_INDEX)]?.integer(Int32.self),
                let speed = attributes[type: Int(ETHTOOL_A_LINKMODES_SPEED)]?.integer(UInt32.self),
                // SPEED_UNKNOWN is all ones.
                speed > 0, speed <= UInt32(Int32.max)
            else { continue }
            speeds[index] = Int(speed)
        }
        return speeds
    }

    // MARK: Features and private flags

    /// The two lists of bits: offloads of the kernel, and private flags of the driver.
    package enum BitList: Sendable {
        case features, privateFlags

        fileprivate var get: UInt8 { UInt8(self == .features ? ETHTOOL_MSG_FEATURES_GET : ETHTOOL_MSG_PRIVFLAGS_GET) }
        fileprivate var set: UInt8 { UInt8(self == .features ? ETHTOOL_MSG_FEATURES_SET : ETHTOOL_MSG_PRIVFLAGS_SET) }
        /// The attribute with the requested bits.
        fileprivate var wanted: Int { Int(self == .features ? ETHTOOL_A_FEATURES_WANTED : ETHTOOL_A_PRIVFLAGS_FLAGS) }
        fileprivate var name: String { self == .features ? "features" : "private flags" }
    }

    /// The requested bits of interfaces as masks; nil for interfaces without the list.
    package func wantedBits(_ list: BitList, of indexes: [Int32]) throws(NetlinkError) -> [BitSet?] {
        let requests = indexes.map { index in
            request("read \(list.name)", list.get, index, flags: 1) { _ in }  // ETHTOOL_FLAG_COMPACT_BITSETS
        }
        return try socket.get(all: requests, absent: [EOPNOTSUPP, ENODEV]).map { message in
            message.flatMap(Self.attributes)?[type: list.wanted].flatMap(BitSet.init)
        }
    }

    /// Names of an interface's bits with their values; nil if it lacks the list.
    package func names(_ list: BitList, of index: Int32) throws(NetlinkError) -> [String: Bool]? {
        let request = request("read \(list.name)", list.get, index) { _ in }
        guard let message = try socket.get(all: [request], absent: [EOPNOTSUPP]).first ?? nil, let attributes = Self.attributes(of: message)
        else { return nil }
        let all = list == .features ? Int(ETHTOOL_A_FEATURES_HW) : list.wanted
        var bits: [String: Bool] = [:]
        for name in Self.names(in: attributes[type: all], areAllListed: list == .privateFlags) { bits[name.0] = name.1 }
        guard list == .features else { return bits }
        let active = Self.names(in: attributes[type: Int(ETHTOOL_A_FEATURES_ACTIVE)], areAllListed: false).map(\.0)
        for name in bits.keys { bits[name] = active.contains(name) }
        return bits
    }

    /// Requests bits by name.
    ///
    /// - Returns: names of the bits that the driver did not set as requested.
    package func set(_ list: BitList, _ bits: [String: Bool], of index: Int32) throws(NetlinkError) -> [String] {
        let request = request("set \(list.name)", list.set, index, flags: 2) { message in  // ETHTOOL_FLAG_OMIT_REPLY
            message.nested(list.wanted) { set in
                set.nested(Int(ETHTOOL_A_BITSET_BITS)) { entries in
                    for (name, isOn) in bits.sorted(by: { $0.key < $1.key }) {
                        entries.nested(Int(ETHTOOL_A_BITSET_BITS_BIT)) { bit in
                            bit.attribute(Int(ETHTOOL_A_BITSET_BIT_NAME), text: name)
                            if isOn { bit.attribute(Int(ETHTOOL_A_BITSET_BIT_VALUE), []) }
                        }
                    }
                }
            }
        }
        try execute(request)
        let now = try names(list, of: index) ?? [:]
        return bits.filter { now[$0.key] != $0.value }.keys.sorted()
    }

    /// Requests the recorded bits that differ now.
    package func restore(_ list: BitList, _ bits: BitSet, now: BitSet?, of index: Int32) throws(NetlinkError) {
        try execute(
            request("restore \(list.name)", list.set, index, flags: 2) { message in
                message.nested(list.wanted) { bits.write(&$0, unlike: now) }
            })
    }

    func execute(_ request: NetlinkRequest) throws(NetlinkError) {
        try socket.execute(request.operation, type: request.type, flags: request.flags, payload: request.payload)
    }

    func request(
        _ operation: String, _ command: UInt8, _ index: Int32, flags: UInt32 = 0, _ build: (inout MessageBuilder) -> Void
    ) -> NetlinkRequest {
        var builder = MessageBuilder([command, UInt8(ETHTOOL_GENL_VERSION), 0, 0])
        // The header is attribute 1 of all messages.
        builder.nested(1) { header in
            header.attribute(Int(ETHTOOL_A_HEADER_DEV_INDEX), integer: index)
            if flags != 0 { header.attribute(Int(ETHTOOL_A_HEADER_FLAGS), integer: flags) }
        }
        build(&builder)
        return NetlinkRequest(operation, type: Int(family), payload: builder.body)
    }

    /// The named bits of a bit set with their values. In a set without a mask, the listed bits are the set ones.
    private static func names(in set: Attribute?, areAllListed: Bool) -> [(String, Bool)] {
        (set?.nested?[type: Int(ETHTOOL_A_BITSET_BITS)]?.nested ?? []).compactMap { bit in
            guard let parts = bit.nested, let name = parts[type: Int(ETHTOOL_A_BITSET_BIT_NAME)]?.text else { return nil }
            return (name, !areAllListed || parts[type: Int(ETHTOOL_A_BITSET_BIT_VALUE)] != nil)
        }
    }

    /// The attributes after struct genlmsghdr.
    static func attributes(of message: Message) -> [Attribute]? {
        message.payload.count < 4 ? nil : Attribute.list(message.payload.dropFirst(4))
    }
}

extension BitSet {
    init?(_ attribute: Attribute) {
        guard let parts = attribute.nested, let size = parts[type: Int(ETHTOOL_A_BITSET_SIZE)]?.integer(UInt32.self),
            let value = parts[type: Int(ETHTOOL_A_BITSET_VALUE)]
        else { return nil }
        var words: [UInt32] = []
        var reader = ByteReader(value.value)
        while let word = reader.integer(UInt32.self) { words.append(word) }
        self.init(size: size, words: words)
    }

    /// Writes only bits that differ, because the kernel refuses some bits even with their present value.
    func write(_ builder: inout MessageBuilder, unlike other: BitSet?) {
        let others = other?.words ?? []
        let mask = words.indices.map { index in index < others.count ? words[index] ^ others[index] : 0 }
        builder.attribute(Int(ETHTOOL_A_BITSET_SIZE), integer: size)
        for (type, words) in [(ETHTOOL_A_BITSET_VALUE, words), (ETHTOOL_A_BITSET_MASK, mask)] {
            var bytes = MessageBuilder()
            for word in words { bytes.integer(word) }
            builder.attribute(Int(type), bytes.body)
        }
    }
}
