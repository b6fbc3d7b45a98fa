// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel
import Primitives

extension Link {
    private static let states = [
        "unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up",
    ]

    /// Reads RTM_NEWLINK or RTM_DELLINK: struct ifinfomsg and IFLA attributes (linux/if_link.h).
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard reader.skip(2), let type = reader.integer(UInt16.self), let index = reader.integer(Int32.self),
            let flags = reader.integer(UInt32.self),
            reader.skip(4), let rest = reader.take(reader.remaining)
        else { return nil }
        var link = Link(index: index, type: type, flags: flags)
        // One pass for all attributes: a host can have thousands of interfaces with fifty attributes each.
        guard Attribute.each(rest, { link.take($0) }), !link.name.isEmpty else { return nil }
        self = link
    }

    private mutating func take(_ attribute: Attribute) {
        switch Int(attribute.type) {
        case IFLA_IFNAME: name = attribute.text
        case IFLA_ADDRESS: address = attribute.hardwareAddress
        case IFLA_MTU: mtu = attribute.integer() ?? 0
        case IFLA_OPERSTATE:
            let state = Int(attribute.integer(UInt8.self) ?? 0)
            if state < Self.states.count { self.state = Self.states[state] }
        case IFLA_CARRIER: hasCarrier = attribute.integer(UInt8.self).map { $0 != 0 }
        case IFLA_LINK: link = attribute.integer()
        case IFLA_LINK_NETNSID: linkNamespace = attribute.integer()
        case IFLA_MASTER: master = attribute.integer()
        case IFLA_LINKINFO: kind = attribute.nested?[type: IFLA_INFO_KIND]?.text
        case IFLA_IFALIAS: alias = attribute.text
        case IFLA_PROP_LIST:
            alternativeNames = (attribute.nested ?? []).filter { Int($0.type) == IFLA_ALT_IFNAME }.map(\.text)
        case IFLA_MIN_MTU: minimalMTU = attribute.integer()
        case IFLA_MAX_MTU: maximalMTU = attribute.integer(UInt32.self).flatMap { $0 == 0 ? nil : $0 }
        case IFLA_PERM_ADDRESS: permanentAddress = attribute.hardwareAddress
        case IFLA_PHYS_PORT_NAME: portName = attribute.text
        case IFLA_PHYS_SWITCH_ID: switchID = Hex.text(attribute.value)
        case IFLA_PARENT_DEV_NAME: parentDevice = attribute.text
        case IFLA_PARENT_DEV_BUS_NAME: parentBus = attribute.text
        case IFLA_BROADCAST: broadcast = attribute.hardwareAddress
        case IFLA_LINKMODE: linkMode = attribute.integer() ?? 0
        case IFLA_PROTO_DOWN: protoDown.isOn = attribute.integer(UInt8.self) ?? 0 != 0
        case IFLA_PROTO_DOWN_REASON:
            protoDown.reasons = attribute.nested?[type: IFLA_PROTO_DOWN_REASON_VALUE]?.integer() ?? 0
        case IFLA_XDP: xdp = XDPPrograms(attribute)
        default: break
        }
    }
}

extension Attribute {
    fileprivate var hardwareAddress: HardwareAddress? { value.isEmpty ? nil : HardwareAddress(bytes: value) }
}

extension Link {
    /// struct ifinfomsg.
    package static func header(
        _ builder: inout MessageBuilder, index: Int32, flags: UInt32 = 0, change: UInt32 = 0
    ) {
        builder.integer(UInt8(AF_UNSPEC))
        builder.integer(UInt8(0))
        builder.integer(UInt16(0))
        builder.integer(index)
        builder.integer(flags)
        builder.integer(change)
    }
}

extension NetlinkSocket {
    /// `ip link`: one dump, without statistics.
    package func links() throws(NetlinkError) -> [Link] { try links { $0 } }

    /// `ip link`, keeping only the closure's result for each interface.
    package func links<Value>(_ read: (Link) -> Value?) throws(NetlinkError) -> [Value] {
        var builder = MessageBuilder()
        Link.header(&builder, index: 0)
        builder.attribute(IFLA_EXT_MASK, integer: UInt32(RTEXT_FILTER_SKIP_STATS))
        return try dump("list interfaces", type: RTM_GETLINK, payload: builder.body) { Link($0).flatMap(read) }
    }

    /// `ip link show dev NAME`; nil if the interface does not exist.
    package func link(named name: String) throws(NetlinkError) -> Link? {
        var builder = MessageBuilder()
        Link.header(&builder, index: 0)
        builder.attribute(IFLA_IFNAME, text: name)
        return try link("look up interface \(name)", payload: builder.body)
    }

    /// `ip link` by index; nil if the interface does not exist.
    package func link(index: Int32) throws(NetlinkError) -> Link? {
        var builder = MessageBuilder()
        Link.header(&builder, index: index)
        return try link("look up interface \(index)", payload: builder.body)
    }

    private func link(_ operation: String, payload: [UInt8]) throws(NetlinkError) -> Link? {
        do throws(NetlinkError) {
            return Link(try get(operation, type: RTM_GETLINK, payload: payload))
        } catch {
            if error.code == ENODEV { return nil }
            throw error
        }
    }

    /// `ip link del dev INDEX`
    package func deleteLink(_ index: Int32) throws(NetlinkError) {
        let request = NetlinkRequest.deleteLink(index, "delete interface \(index)")
        try execute(request.operation, type: request.type, payload: request.payload)
    }

    /// `ip link add NAME type KIND`
    package func addLink(
        _ name: String, kind: String, parent: Int32? = nil, address: HardwareAddress? = nil,
        data: (inout MessageBuilder) -> Void = { _ in }
    ) throws(NetlinkError) {
        let request = NetlinkRequest.addLink(name, kind: kind, parent: parent, address: address, data: data)
        try execute(request.operation, type: request.type, flags: request.flags, payload: request.payload)
    }
}

extension NetlinkRequest {
    /// `ip link show dev NAME`
    package static func link(named name: String) -> NetlinkRequest {
        var builder = MessageBuilder()
        Link.header(&builder, index: 0)
        builder.attribute(IFLA_IFNAME, text: name)
        return NetlinkRequest("look up interface \(name)", type: RTM_GETLINK, payload: builder.body)
    }

    /// `ip link del dev INDEX`
    package static func deleteLink(_ index: Int32, _ operation: String) -> NetlinkRequest {
        var builder = MessageBuilder()
        Link.header(&builder, index: index)
        return NetlinkRequest(operation, type: RTM_DELLINK, payload: builder.body)
    }

    /// `ip link del group GROUP`: all interfaces of a group at once. ENODEV for an empty group.
    package static func deleteLinks(ofGroup group: UInt32, _ operation: String) -> NetlinkRequest {
        var builder = MessageBuilder()
        Link.header(&builder, index: 0)
        builder.attribute(IFLA_GROUP, integer: group)
        return NetlinkRequest(operation, type: RTM_DELLINK, payload: builder.body)
    }

    /// `ip link add NAME type KIND`, optionally in another namespace; the parent is in the socket's namespace.
    package static func addLink(
        _ name: String, kind: String, parent: Int32? = nil, address: HardwareAddress? = nil, mtu: UInt32? = nil, namespace: Int32? = nil,
        data: (inout MessageBuilder) -> Void = { _ in }
    ) -> NetlinkRequest {
        var builder = MessageBuilder()
        Link.header(&builder, index: 0)
        builder.attribute(IFLA_IFNAME, text: name)
        if let parent { builder.attribute(IFLA_LINK, integer: parent) }
        if let address { builder.attribute(IFLA_ADDRESS, address.bytes) }
        if let mtu { builder.attribute(IFLA_MTU, integer: mtu) }
        if let namespace { builder.attribute(IFLA_NET_NS_FD, integer: namespace) }
        builder.nested(IFLA_LINKINFO) { info in
            info.attribute(IFLA_INFO_KIND, text: kind)
            info.nested(IFLA_INFO_DATA, data)
        }
        return NetlinkRequest(
            "add interface \(name) of kind \(kind)", type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, payload: builder.body)
    }

    /// `ip link property add dev INDEX altname NAME...`
    package static func addAlternativeNames(_ names: [String], to index: Int32) -> NetlinkRequest {
        var builder = MessageBuilder()
        Link.header(&builder, index: index)
        builder.nested(IFLA_PROP_LIST) { for name in names { $0.attribute(IFLA_ALT_IFNAME, text: name) } }
        return NetlinkRequest(
            "add names \(names.joined(separator: ", "))", type: RTM_NEWLINKPROP, flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND,
            payload: builder.body)
    }

    /// `ip link set dev INDEX xdp off`, and the removal of traffic control hooks: two requests, which fail if there is nothing to remove.
    package static func detachPrograms(from index: Int32) -> [NetlinkRequest] {
        var xdp = MessageBuilder()
        Link.header(&xdp, index: index)
        xdp.nested(IFLA_XDP) { $0.attribute(IFLA_XDP_FD, integer: Int32(-1)) }
        let hooks = QueueingDiscipline.header(index: index, parent: QueueingDiscipline.hooks)
        return [
            NetlinkRequest("detach XDP", type: RTM_NEWLINK, payload: xdp.body),
            NetlinkRequest("detach programs of traffic control", type: RTM_DELQDISC, payload: hooks.body),
        ]
    }
}
