// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import NetworkModel

extension Neighbour {
    /// Reads struct ndmsg and NDA attributes; nil for entries that the kernel learned.
    package init?(_ message: Message) {
        var reader = ByteReader(message.payload)
        guard reader.skip(4), let index = reader.integer(Int32.self), let state = reader.integer(UInt16.self),
            let flags = reader.integer(UInt8.self), reader.skip(1), let rest = reader.take(reader.remaining),
            let attributes = Attribute.list(rest), state & UInt16(NUD_PERMANENT) != 0,
            let address = attributes[type: Int(NDA_DST)].flatMap({ IPAddress(bytes: $0.value) })
        else { return nil }
        self.init(
            index: index, address: address, hardwareAddress: attributes[type: Int(NDA_LLADDR)].map { HardwareAddress(bytes: $0.value) },
            flags: flags)
    }

    /// struct ndmsg and attributes.
    package func payload() -> [UInt8] {
        var builder = MessageBuilder()
        builder.integer(UInt8(address.isV6 ? AF_INET6 : AF_INET))
        builder.integer(UInt8(0))
        builder.integer(UInt16(0))
        builder.integer(index)
        builder.integer(UInt16(NUD_PERMANENT))
        builder.integer(flags)
        builder.integer(UInt8(0))
        builder.attribute(Int(NDA_DST), address.bytes)
        if let hardwareAddress { builder.attribute(Int(NDA_LLADDR), hardwareAddress.bytes) }
        return builder.body
    }
}

extension NetlinkSocket {
    /// `ip neighbour show [dev INDEX] nud permanent`, both families, for one interface or all.
    package func neighbours(of index: Int32? = nil) throws(NetlinkError) -> [Neighbour] {
        // struct ndmsg with family 0.
        var builder = MessageBuilder([UInt8](repeating: 0, count: 12))
        if let index { builder.attribute(Int(NDA_IFINDEX), integer: index) }
        return try dump("list neighbours", type: RTM_GETNEIGH, payload: builder.body) { message in
            Neighbour(message).flatMap { index == nil || $0.index == index ? $0 : nil }
        }
    }
}

extension NetlinkRequest {
    /// `ip neighbour replace ... nud permanent`
    package static func set(_ neighbour: Neighbour) -> NetlinkRequest {
        NetlinkRequest(
            "set neighbour \(neighbour.address)", type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE, payload: neighbour.payload())
    }
}

extension NeighbourSettings {
    /// Counters, and values derived from others.
    private static let readOnly = [NDTPA_UNSPEC, NDTPA_IFINDEX, NDTPA_REFCNT, NDTPA_REACHABLE_TIME, NDTPA_PAD].map { UInt16($0) }

    /// Reads a set of parameters, and the index of its interface; 0 for a table's defaults.
    static func read(_ message: Message) -> (index: Int32, settings: NeighbourSettings)? {
        // struct ndtmsg is four bytes.
        guard message.payload.count >= 4, let attributes = Attribute.list(message.payload.dropFirst(4)),
            let table = attributes[type: Int(NDTA_NAME)]?.text, let parameters = attributes[type: Int(NDTA_PARMS)]?.nested
        else { return nil }
        let bytes = parameters.filter { !readOnly.contains($0.type) }.flatMap(\.bytes)
        return (
            parameters[type: Int(NDTPA_IFINDEX)]?.integer(Int32.self) ?? 0, NeighbourSettings(table: table, parameters: bytes)
        )
    }
}

extension NetlinkSocket {
    /// The settings that differ from the defaults, by interface.
    package func neighbourSettings() throws(NetlinkError) -> [Int32: [NeighbourSettings]] {
        var defaults: [String: NeighbourSettings] = [:]
        var found: [(index: Int32, settings: NeighbourSettings)] = []
        // struct ndtmsg with family 0.
        for message in try dump("list tables of neighbours", type: RTM_GETNEIGHTBL, payload: [0, 0, 0, 0]) {
            guard let entry = NeighbourSettings.read(message) else { continue }
            if entry.index == 0 { defaults[entry.settings.table] = entry.settings } else { found.append(entry) }
        }
        return Dictionary(grouping: found.filter { $0.settings != defaults[$0.settings.table] }, by: \.index).mapValues {
            $0.map(\.settings)
        }
    }
}

extension NetlinkRequest {
    /// `ip ntable change name TABLE dev INDEX ...`
    package static func set(_ settings: NeighbourSettings, of index: Int32) -> NetlinkRequest {
        var builder = MessageBuilder([0, 0, 0, 0])
        builder.attribute(Int(NDTA_NAME), text: settings.table)
        builder.nested(Int(NDTA_PARMS)) { parameters in
            parameters.attribute(Int(NDTPA_IFINDEX), integer: index)
            parameters.raw(settings.parameters)
        }
        return NetlinkRequest("restore settings of \(settings.table)", type: RTM_SETNEIGHTBL, payload: builder.body)
    }
}
