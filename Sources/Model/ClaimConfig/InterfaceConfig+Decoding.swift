// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import ResourceAPI

extension InterfaceConfig {
    private static let fields = [
        "name", "addresses", "dhcp", "dhcp6", "dhcpRoutes", "mtu", "hardwareAddr", "gsoMaxSize", "groMaxSize", "gsoIPv4MaxSize",
        "groIPv4MaxSize",
        "forwarding", "arpIgnore", "arpAnnounce", "acceptRA", "disableEbpfPrograms", "vrf", "subInterface", "sysctls",
    ]

    init(_ json: JSONValue, _ reader: inout ConfigReader) {
        self.init()
        reader.object(json, at: "interface", fields: Self.fields) { reader, interface in
            name = reader.interfaceName(interface["name"], at: "interface.name")
            addresses = reader.list(interface["addresses"], at: "interface.addresses", most: ConfigLimits.addresses) {
                reader, value, path in
                reader.parsed(value, at: path, as: "an address with a prefix length such as 10.0.0.5/24") { IPPrefix(parsing: $0) }
            }
            if let addresses, Set(addresses.map(\.address)).count != addresses.count {
                reader.problem("interface.addresses", "an address occurs twice")
            }
            dhcp = reader.bool(interface["dhcp"], at: "interface.dhcp")
            dhcp6 = reader.bool(interface["dhcp6"], at: "interface.dhcp6")
            dhcpRoutes = reader.list(interface["dhcpRoutes"], at: "interface.dhcpRoutes", most: ConfigLimits.dhcpRoutes) {
                reader, value, path in
                guard let prefix = reader.network(value, at: path) else { return nil }
                if prefix.address.isV6 { reader.problem(path, "\(prefix) is IPv6, for which DHCP has no routes") }
                return prefix
            }
            mtu = reader.integer(interface["mtu"], at: "interface.mtu", in: ConfigLimits.mtu)
            hardwareAddress = interface["hardwareAddr"].flatMap { value in
                reader.parsed(
                    value, at: "interface.hardwareAddr", bytes: ConfigLimits.hardwareAddressBytes,
                    as: "an address such as 02:00:00:00:00:01"
                ) {
                    HardwareAddress(parsing: $0)
                }
            }
            readHardwareAddress(&reader)
            let sizes = ConfigLimits.segmentSize
            gsoMaxSize = reader.integer(interface["gsoMaxSize"], at: "interface.gsoMaxSize", in: sizes)
            groMaxSize = reader.integer(interface["groMaxSize"], at: "interface.groMaxSize", in: sizes)
            gsoIPv4MaxSize = reader.integer(interface["gsoIPv4MaxSize"], at: "interface.gsoIPv4MaxSize", in: sizes)
            groIPv4MaxSize = reader.integer(interface["groIPv4MaxSize"], at: "interface.groIPv4MaxSize", in: sizes)
            forwarding = reader.bool(interface["forwarding"], at: "interface.forwarding")
            arpIgnore = reader.integer(interface["arpIgnore"], at: "interface.arpIgnore", of: ConfigLimits.arpIgnore)
            arpAnnounce = reader.integer(interface["arpAnnounce"], at: "interface.arpAnnounce", in: ConfigLimits.arpAnnounce)
            acceptRA = reader.integer(interface["acceptRA"], at: "interface.acceptRA", in: ConfigLimits.acceptRA)
            detachesPrograms = reader.bool(interface["disableEbpfPrograms"], at: "interface.disableEbpfPrograms")
            readVRF(interface["vrf"], &reader)
            readChild(interface["subInterface"], &reader)
            readSysctls(interface["sysctls"], &reader)
        }
    }

    private func readHardwareAddress(_ reader: inout ConfigReader) {
        guard let hardwareAddress else { return }
        if hardwareAddress.bytes.count == 6, hardwareAddress.bytes[0] & 1 != 0 {
            reader.problem("interface.hardwareAddr", "\(hardwareAddress) is a multicast address; the first byte must be even")
        }
        if hardwareAddress.bytes.allSatisfy({ $0 == 0 }) { reader.problem("interface.hardwareAddr", "is all zeros") }
    }

    private mutating func readVRF(_ json: JSONValue?, _ reader: inout ConfigReader) {
        guard let json else { return }
        reader.object(json, at: "interface.vrf", fields: ["name", "table"]) { reader, members in
            let name = reader.interfaceName(members["name"], at: "interface.vrf.name")
            if members["name"] == nil { reader.problem("interface.vrf.name", "is missing", .missing) }
            let table = reader.integer(members["table"], at: "interface.vrf.table", in: ConfigLimits.table)
            // RT_TABLE_DEFAULT, MAIN and LOCAL (linux/rtnetlink.h).
            if let table, (253...255).contains(table) {
                reader.problem("interface.vrf.table", "\(table) is a table of the kernel; use another number")
            }
            if let name { vrf = VRF(name: name, table: table.map { UInt32($0) }) }
        }
    }

    private mutating func readChild(_ json: JSONValue?, _ reader: inout ConfigReader) {
        guard let json else { return }
        let path = "interface.subInterface"
        reader.object(json, at: path, fields: ["type", "mode", "vlan"]) { reader, members in
            guard let type = reader.string(members["type"], at: "\(path).type", bytes: ConfigLimits.nameBytes) else {
                if members["type"] == nil { reader.problem("\(path).type", "is missing; types are macvlan, ipvlan and vlan", .missing) }
                return
            }
            guard let kind = ChildInterface.Kind(rawValue: type) else {
                return reader.problem("\(path).type", "\"\(type)\" is not one of macvlan, ipvlan and vlan")
            }
            var child = ChildInterface(kind: kind)
            if let mode = reader.string(members["mode"], at: "\(path).mode", bytes: ConfigLimits.nameBytes) {
                child.mode = kind.modes.first { $0.name == mode }?.number
                if child.mode == nil {
                    let known = kind.modes.map(\.name).joined(separator: ", ")
                    reader.problem(
                        "\(path).mode",
                        "\"\(mode)\" is not a mode of \(type); \(known.isEmpty ? "the type has no modes" : "modes are \(known)")")
                }
            } else if kind == .macvlan {
                // The kernel's default mode (vepa) needs a switch for traffic between children of one interface.
                child.mode = 4
            }
            child.vlan = reader.integer(members["vlan"], at: "\(path).vlan", in: ConfigLimits.vlan).map { UInt16($0) }
            if kind == .vlan, members["vlan"] == nil { reader.problem("\(path).vlan", "is missing", .missing) }
            if kind != .vlan, members["vlan"] != nil { reader.problem("\(path).vlan", "is for type vlan only", .conflict) }
            self.child = child
        }
    }
}
