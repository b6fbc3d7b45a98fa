// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

extension Rule {
    private static let known = [FRA_SRC, FRA_DST, FRA_TABLE, FRA_PRIORITY, FRA_IIFNAME, FRA_OIFNAME].map { UInt16($0) }

    /// Reads struct fib_rule_hdr and FRA attributes (linux/fib_rules.h).
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard let family = reader.integer(UInt8.self), let destinationLength = reader.integer(UInt8.self),
            let sourceLength = reader.integer(UInt8.self), let tos = reader.integer(UInt8.self),
            let table = reader.integer(UInt8.self), reader.skip(2), let action = reader.integer(UInt8.self),
            let flags = reader.integer(UInt32.self),
            let rest = reader.take(reader.remaining), let attributes = Attribute.list(rest)
        else { return nil }
        func prefix(_ type: some BinaryInteger, _ length: UInt8) -> IPPrefix? {
            attributes[type: Int(type)].flatMap { IPAddress(bytes: $0.value) }.flatMap { address in
                Int(length) <= address.bitCount ? IPPrefix(address: address, length: Int(length)) : nil
            }
        }
        self.init(
            source: prefix(FRA_SRC, sourceLength), table: attributes[type: Int(FRA_TABLE)]?.integer() ?? UInt32(table),
            isInverted: flags & UInt32(FIB_RULE_INVERT) != 0, destination: prefix(FRA_DST, destinationLength),
            priority: attributes[type: Int(FRA_PRIORITY)]?.integer(), isV6: Int32(family) == AF_INET6)
        inputInterface = attributes[type: Int(FRA_IIFNAME)]?.text
        outputInterface = attributes[type: Int(FRA_OIFNAME)]?.text
        self.tos = tos
        self.action = action
        for attribute in attributes where !Self.known.contains(attribute.type) { others += attribute.bytes }
    }

    /// struct fib_rule_hdr and attributes.
    package func payload() -> [UInt8] {
        var builder = MessageBuilder()
        builder.integer(UInt8(isV6 ? AF_INET6 : AF_INET))
        builder.integer(UInt8(truncatingIfNeeded: destination?.length ?? 0))
        builder.integer(UInt8(truncatingIfNeeded: source?.length ?? 0))
        builder.integer(tos)
        builder.integer(table < 256 ? UInt8(table) : UInt8(RT_TABLE_UNSPEC.rawValue))
        builder.integer(UInt16(0))
        builder.integer(action)
        builder.integer(isInverted ? UInt32(FIB_RULE_INVERT) : 0)
        if let source { builder.attribute(Int(FRA_SRC), source.address.bytes) }
        if let destination { builder.attribute(Int(FRA_DST), destination.address.bytes) }
        builder.attribute(Int(FRA_TABLE), integer: table)
        if let priority { builder.attribute(Int(FRA_PRIORITY), integer: priority) }
        if let inputInterface { builder.attribute(Int(FRA_IIFNAME), text: inputInterface) }
        if let outputInterface { builder.attribute(Int(FRA_OIFNAME), text: outputInterface) }
        builder.raw(others)
        return builder.body
    }
}

extension NetlinkSocket {
    /// `ip rule`, both families.
    package func rules() throws(NetlinkError) -> [Rule] {
        // struct fib_rule_hdr with family 0.
        try dump("list routing rules", type: RTM_GETRULE, payload: [UInt8](repeating: 0, count: 12), Rule.init)
    }
}

extension NetlinkRequest {
    /// `ip rule add ...`. EEXIST if the rule exists.
    package static func add(_ rule: Rule) -> NetlinkRequest {
        NetlinkRequest("add rule \(rule)", type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, payload: rule.payload())
    }

    /// `ip rule delete ...`
    package static func remove(_ rule: Rule) -> NetlinkRequest {
        NetlinkRequest("remove rule \(rule)", type: RTM_DELRULE, payload: rule.payload())
    }
}
