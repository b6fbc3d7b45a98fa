// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

extension LinkSettings {
    /// The restored flags; IFF_UP is restored separately.
    package static let settableFlags = UInt32(IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_PROMISC | IFF_ALLMULTI | IFF_MULTICAST)

    /// Reads the attributes of RTM_NEWLINK (linux/if_link.h).
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard reader.skip(8), let flags = reader.integer(UInt32.self), reader.skip(4), let rest = reader.take(reader.remaining) else {
            return nil
        }
        self.init(flags: flags & Self.settableFlags)
        var settings = self
        guard Attribute.each(rest, { settings.take($0) }) else { return nil }
        self = settings
    }

    private mutating func take(_ attribute: Attribute) {
        switch Int(attribute.type) {
        case IFLA_TXQLEN: txQueueLength = attribute.integer() ?? 0
        case IFLA_GROUP: group = attribute.integer() ?? 0
        case IFLA_GSO_MAX_SIZE: sizes.gso = attribute.integer()
        case IFLA_GRO_MAX_SIZE: sizes.gro = attribute.integer()
        case IFLA_GSO_MAX_SEGS: sizes.segments = attribute.integer()
        case SegmentSizes.gsoIPv4Type: sizes.gsoIPv4 = attribute.integer()
        case SegmentSizes.groIPv4Type: sizes.groIPv4 = attribute.integer()
        case IFLA_AF_SPEC:
            for family in attribute.nested ?? [] {
                if Int32(family.type) == AF_INET { ipv4 = family.nested?[type: IFLA_INET_CONF]?.integers() ?? [] }
                if Int32(family.type) == AF_INET6 { ipv6 = family.nested?[type: IFLA_INET6_CONF]?.integers() ?? [] }
            }
        default: break
        }
    }
}

extension Attribute {
    /// The value as a list of integers.
    fileprivate func integers<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> [Value] {
        var reader = ByteReader(value)
        var result: [Value] = []
        while let next = reader.integer(type) { result.append(next) }
        return result
    }
}
