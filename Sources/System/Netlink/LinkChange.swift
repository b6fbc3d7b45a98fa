// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

/// A change to one interface: `ip link set dev INDEX ...`. Nil fields stay unchanged.
package struct LinkChange: Hashable, Sendable {
    package var name: String?
    package var mtu: UInt32?
    package var address: HardwareAddress?
    package var alias: String?
    package var isUp: Bool?
    /// Other flags of the interface (IFF_): values for the flags of a mask.
    package var flags: Flags?
    package var txQueueLength: UInt32?
    package var group: UInt32?
    /// Index of the bridge, bond or VRF; 0 for none.
    package var master: Int32?
    package var sizes: SegmentSizes
    /// IPv4 settings by their number (linux/ip.h, IPV4_DEVCONF_).
    package var ipv4: [Int: UInt32]
    package var linkMode: UInt8?
    /// True to end the state dormant (IFLA_OPERSTATE with IF_OPER_UP). The kernel ignores it while a link mode or a lower interface keeps
    /// the interface dormant.
    package var isOperational = false
    package var broadcast: HardwareAddress?
    package var protoDown: ProtoDown?
    /// An open descriptor of the destination namespace.
    package var namespace: Int32?
    /// Its index in that namespace (IFLA_NEW_IFINDEX, since Linux 5.13): EBUSY if another interface has it. With nil the kernel keeps
    /// the index, or assigns a new one if it is in use.
    package var newIndex: Int32?

    package init(
        name: String? = nil, mtu: UInt32? = nil, address: HardwareAddress? = nil, alias: String? = nil,
        isUp: Bool? = nil, namespace: Int32? = nil
    ) {
        self.name = name
        self.mtu = mtu
        self.address = address
        self.alias = alias
        self.isUp = isUp
        self.namespace = namespace
        sizes = SegmentSizes()
        ipv4 = [:]
    }

    /// Values for the flags of a mask (IFF_).
    package struct Flags: Hashable, Sendable {
        package var values: UInt32
        package var mask: UInt32

        package init(_ values: UInt32, mask: UInt32) {
            self.values = values & mask
            self.mask = mask
        }
    }

    /// IF_OPER_UP (linux/if.h).
    private static let operationalUp: UInt8 = 6

    package var isEmpty: Bool { self == LinkChange() }

    /// struct ifinfomsg and attributes.
    package func payload(index: Int32) -> [UInt8] {
        var builder = MessageBuilder()
        let up = UInt32(IFF_UP)
        Link.header(
            &builder, index: index, flags: (isUp == true ? up : 0) | (flags?.values ?? 0),
            change: (isUp == nil ? 0 : up) | (flags?.mask ?? 0))
        if let name { builder.attribute(IFLA_IFNAME, text: name) }
        if let mtu { builder.attribute(IFLA_MTU, integer: mtu) }
        if let address { builder.attribute(IFLA_ADDRESS, address.bytes) }
        if let alias { builder.attribute(IFLA_IFALIAS, alias.utf8) }
        if let txQueueLength { builder.attribute(IFLA_TXQLEN, integer: txQueueLength) }
        if let group { builder.attribute(IFLA_GROUP, integer: group) }
        if let master { builder.attribute(IFLA_MASTER, integer: master) }
        for (type, size) in sizes.attributes { builder.attribute(type, integer: size) }
        if isOperational { builder.attribute(IFLA_OPERSTATE, integer: Self.operationalUp) }
        if let linkMode { builder.attribute(IFLA_LINKMODE, integer: linkMode) }
        if let broadcast { builder.attribute(IFLA_BROADCAST, broadcast.bytes) }
        protoDown?.write(&builder)
        if !ipv4.isEmpty {
            builder.nested(IFLA_AF_SPEC) { families in
                families.nested(Int(AF_INET)) { family in
                    family.nested(IFLA_INET_CONF) { settings in
                        for (number, value) in ipv4.sorted(by: { $0.key < $1.key }) { settings.attribute(number, integer: value) }
                    }
                }
            }
        }
        if let namespace { builder.attribute(IFLA_NET_NS_FD, integer: namespace) }
        if let newIndex { builder.attribute(IFLA_NEW_IFINDEX, integer: newIndex) }
        return builder.body
    }

}

extension SegmentSizes {
    // Missing in the headers of some build systems (linux/if_link.h, since 6.3).
    static let gsoIPv4Type = 63
    static let groIPv4Type = 64

    var attributes: [(Int, UInt32)] {
        let all: [(Int, UInt32?)] = [
            (IFLA_GSO_MAX_SIZE, gso), (IFLA_GRO_MAX_SIZE, gro), (Self.gsoIPv4Type, gsoIPv4), (Self.groIPv4Type, groIPv4),
            (IFLA_GSO_MAX_SEGS, segments),
        ]
        return all.compactMap { type, size in size.map { (type, $0) } }
    }
}

extension NetlinkSocket {
    /// `ip link set dev INDEX ...`
    package func change(
        _ index: Int32, _ change: LinkChange, _ operation: @autoclosure () -> String
    ) throws(NetlinkError) {
        try execute(operation(), type: RTM_NEWLINK, payload: change.payload(index: index))
    }
}

extension NetlinkRequest {
    /// `ip link set dev INDEX ...`
    package static func change(_ index: Int32, _ change: LinkChange, _ operation: String) -> NetlinkRequest {
        NetlinkRequest(operation, type: RTM_NEWLINK, payload: change.payload(index: index))
    }
}
