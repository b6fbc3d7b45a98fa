// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

extension InterfaceAddress {
    /// Flags that describe state of the kernel and not settings.
    private static let stateFlags = UInt32(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_PERMANENT)

    /// Reads struct ifaddrmsg and IFA attributes (linux/if_addr.h).
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard reader.skip(1), let length = reader.integer(UInt8.self), let flags = reader.integer(UInt8.self),
            let scope = reader.integer(UInt8.self), let index = reader.integer(Int32.self),
            let rest = reader.take(reader.remaining), let attributes = Attribute.list(rest)
        else { return nil }
        let remote = attributes[type: IFA_ADDRESS].flatMap { IPAddress(bytes: $0.value) }
        let local = attributes[type: IFA_LOCAL].flatMap { IPAddress(bytes: $0.value) }
        guard let own = local ?? remote, Int(length) <= own.bitCount else { return nil }
        self.init(
            index: index, prefix: IPPrefix(address: own, length: Int(length)), scope: scope,
            flags: attributes[type: IFA_FLAGS]?.integer() ?? UInt32(flags))
        peer = local == nil || remote == local ? nil : remote
        broadcast = attributes[type: IFA_BROADCAST].flatMap { IPAddress(bytes: $0.value) }
        label = attributes[type: IFA_LABEL]?.text
        if let cache = attributes[type: IFA_CACHEINFO] {
            var reader = ByteReader(cache.value)
            preferredLifetime = reader.integer(UInt32.self).flatMap { $0 == .max ? nil : $0 }
            validLifetime = reader.integer(UInt32.self).flatMap { $0 == .max ? nil : $0 }
        }
    }

    /// struct ifaddrmsg and attributes.
    package func payload() -> [UInt8] {
        var builder = MessageBuilder()
        builder.integer(UInt8(prefix.address.isV6 ? AF_INET6 : AF_INET))
        builder.integer(UInt8(truncatingIfNeeded: prefix.length))
        builder.integer(UInt8(0))
        builder.integer(scope)
        builder.integer(index)
        builder.attribute(IFA_LOCAL, prefix.address.bytes)
        builder.attribute(IFA_ADDRESS, (peer ?? prefix.address).bytes)
        if let broadcast { builder.attribute(IFA_BROADCAST, broadcast.bytes) }
        if let label { builder.attribute(IFA_LABEL, text: label) }
        builder.attribute(IFA_FLAGS, integer: flags & ~Self.stateFlags)
        if validLifetime != nil || preferredLifetime != nil {
            // struct ifa_cacheinfo: the two time stamps are the kernel's.
            var cache = MessageBuilder()
            cache.integer(preferredLifetime ?? .max)
            cache.integer(validLifetime ?? .max)
            cache.integer(UInt64(0))
            builder.attribute(IFA_CACHEINFO, cache.body)
        }
        return builder.body
    }
}

extension NetlinkSocket {
    /// `ip address [show dev INDEX]`, both families, for one interface or all. ENODEV if the interface does not exist.
    package func addresses(of index: Int32? = nil) throws(NetlinkError) -> [InterfaceAddress] {
        // struct ifaddrmsg with family 0: both families.
        var builder = MessageBuilder([0, 0, 0, 0])
        builder.integer(index ?? 0)
        return try dump("list addresses", type: RTM_GETADDR, payload: builder.body) { message in
            // Kernels before 4.20 answer with the addresses of all interfaces.
            InterfaceAddress(message).flatMap { index == nil || $0.index == index ? $0 : nil }
        }
    }

    /// `ip address replace PREFIX dev INDEX`. Succeeds if the address exists.
    package func setAddress(_ address: InterfaceAddress) throws(NetlinkError) {
        try execute(
            "set address \(address.prefix)", type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_REPLACE,
            payload: address.payload())
    }
}

extension NetlinkRequest {
    /// `ip address replace PREFIX dev INDEX`
    package static func set(_ address: InterfaceAddress) -> NetlinkRequest {
        NetlinkRequest(
            "set address \(address.prefix)", type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_REPLACE, payload: address.payload())
    }

    /// `ip address delete PREFIX dev INDEX`
    package static func remove(_ address: InterfaceAddress) -> NetlinkRequest {
        NetlinkRequest("remove address \(address.prefix)", type: RTM_DELADDR, payload: address.payload())
    }
}
