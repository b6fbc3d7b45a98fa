// SPDX-License-Identifier: Apache-2.0

package import NetworkModel
import Primitives

/// A network interface of the kernel.
package struct Netdev: Hashable, Sendable, Codable {
    /// Interface name, at most 15 bytes.
    package var name: String
    /// Interface index in the network namespace of the snapshot; 0 if unknown.
    package var index: Int
    /// Hardware address in lower-case hexadecimal with colons; 20 bytes for IP over InfiniBand.
    package var mac: HardwareAddress?
    /// Permanent hardware address of the device.
    package var permanentMAC: HardwareAddress?
    package var mtu: Int?
    /// Bounds of the MTU; nil for no bound.
    package var minimalMTU: Int?
    package var maximalMTU: Int?
    /// RFC 2863 state in the kernel's spelling: `up`, `down`, `unknown`, ...
    package var state: String?
    /// True if the interface is enabled (IFF_UP). A disabled one has no carrier, which is not a defect.
    package var isEnabled: Bool?
    /// True if the physical layer has a signal.
    package var hasCarrier: Bool?
    /// Link-layer type: `ether`, `infiniband`, `none` (if_arp.h, ARPHRD).
    package var encapsulation: String?
    /// Mb/s; nil if the driver does not report it.
    package var speed: Int?
    /// Firmware version, as reported by the driver.
    package var firmware: String?
    /// The rtnetlink kind of a virtual interface: `veth`, `macvlan`, `vlan`, ...
    package var kind: String?
    /// Name of the interface below a stacked one.
    package var lower: String?
    /// Number of the device's port, from 0 (dev_port).
    package var port: Int?
    /// Name of the port in the driver: `p0`, `pf0vf1`, `pf0sf88`.
    package var portName: String?
    /// Id of the switch of the port; equal for all ports of one switchdev NIC.
    package var switchID: String?
    package var alias: String?
    package var alternativeNames: [String]
    /// Addresses with prefix lengths: `10.0.0.5/24`.
    package var addresses: [IPPrefix]
    /// Kernel name of the bus device of the interface: `0000:8a:00.0`, `virtio0`.
    package var parentDevice: String?
    /// The host's own use of this interface; nil for none, or if unknown.
    package var hostUse: HostUse?

    package init(
        name: String, index: Int = 0, mac: HardwareAddress? = nil, mtu: Int? = nil, state: String? = nil,
        speed: Int? = nil, kind: String? = nil, addresses: [IPPrefix] = [], isUplink: Bool = false
    ) {
        self.name = name
        self.index = index
        self.mac = mac
        self.mtu = mtu
        self.state = state
        self.speed = speed
        self.kind = kind
        alternativeNames = []
        self.addresses = addresses
        hostUse = isUplink ? HostUse(.defaultRoute) : nil
    }

    /// True if the node's own traffic depends on this interface.
    package var isUplink: Bool { hostUse.map { !$0.yieldsToPolicy } ?? false }

    fileprivate enum CodingKeys: String, CodingKey {
        case name, index, mac, permanentMAC, mtu, minimalMTU, maximalMTU, state
        case isEnabled = "enabled"
        case encapsulation
        case hasCarrier = "carrier"
        case speed, firmware, kind, lower, port, portName, switchID, alias, alternativeNames, addresses, parentDevice, hostUse
        case isUplink = "uplink"
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        index = try values.decodeIfPresent(Int.self, forKey: .index) ?? 0
        mac = try values.hardwareAddress(.mac)
        permanentMAC = try values.hardwareAddress(.permanentMAC)
        mtu = try values.decodeIfPresent(Int.self, forKey: .mtu)
        minimalMTU = try values.decodeIfPresent(Int.self, forKey: .minimalMTU)
        maximalMTU = try values.decodeIfPresent(Int.self, forKey: .maximalMTU)
        state = try values.decodeIfPresent(String.self, forKey: .state)
        isEnabled = try values.decodeIfPresent(Bool.self, forKey: .isEnabled)
        encapsulation = try values.decodeIfPresent(String.self, forKey: .encapsulation)
        hasCarrier = try values.decodeIfPresent(Bool.self, forKey: .hasCarrier)
        speed = try values.decodeIfPresent(Int.self, forKey: .speed)
        firmware = try values.decodeIfPresent(String.self, forKey: .firmware)
        kind = try values.decodeIfPresent(String.self, forKey: .kind)
        lower = try values.decodeIfPresent(String.self, forKey: .lower)
        port = try values.decodeIfPresent(Int.self, forKey: .port)
        portName = try values.decodeIfPresent(String.self, forKey: .portName)
        switchID = try values.decodeIfPresent(String.self, forKey: .switchID)
        alias = try values.decodeIfPresent(String.self, forKey: .alias)
        alternativeNames = try values.list(.alternativeNames)
        addresses = try values.list(.addresses)
        parentDevice = try values.decodeIfPresent(String.self, forKey: .parentDevice)
        // A description with this field alone was made from the default routes.
        let isUplink = try values.decodeIfPresent(Bool.self, forKey: .isUplink) ?? false
        hostUse = try values.decodeIfPresent(HostUse.self, forKey: .hostUse) ?? (isUplink ? HostUse(.defaultRoute) : nil)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        if index != 0 { try values.encode(index, forKey: .index) }
        try values.encodeIfPresent(mac, forKey: .mac)
        try values.encodeIfPresent(permanentMAC, forKey: .permanentMAC)
        try values.encodeIfPresent(mtu, forKey: .mtu)
        try values.encodeIfPresent(minimalMTU, forKey: .minimalMTU)
        try values.encodeIfPresent(maximalMTU, forKey: .maximalMTU)
        try values.encodeIfPresent(state, forKey: .state)
        try values.encodeIfPresent(isEnabled, forKey: .isEnabled)
        try values.encodeIfPresent(encapsulation, forKey: .encapsulation)
        try values.encodeIfPresent(hasCarrier, forKey: .hasCarrier)
        try values.encodeIfPresent(speed, forKey: .speed)
        try values.encodeIfPresent(firmware, forKey: .firmware)
        try values.encodeIfPresent(kind, forKey: .kind)
        try values.encodeIfPresent(lower, forKey: .lower)
        try values.encodeIfPresent(port, forKey: .port)
        try values.encodeIfPresent(portName, forKey: .portName)
        try values.encodeIfPresent(switchID, forKey: .switchID)
        try values.encodeIfPresent(alias, forKey: .alias)
        try values.encode(list: alternativeNames, forKey: .alternativeNames)
        try values.encode(list: addresses, forKey: .addresses)
        try values.encodeIfPresent(parentDevice, forKey: .parentDevice)
        if isUplink { try values.encode(true, forKey: .isUplink) }
        if hostUse != HostUse(.defaultRoute) { try values.encodeIfPresent(hostUse, forKey: .hostUse) }
    }
}

extension KeyedDecodingContainer<Netdev.CodingKeys> {
    fileprivate func hardwareAddress(_ key: Key) throws -> HardwareAddress? {
        try decodeIfPresent(String.self, forKey: key).map { text in
            guard let address = HardwareAddress(parsing: text, sizes: Netdev.addressSizes) else {
                throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "\"\(text)\" is not a hardware address")
            }
            return address
        }
    }
}

extension Netdev {
    /// Numbers of bytes of hardware addresses of all types: those of tunnels are IP addresses (linux/netdevice.h, MAX_ADDR_LEN).
    static let addressSizes = 1...32

    /// Names of link-layer types by their number (linux/if_arp.h), in the spelling of `ip link`.
    package static let encapsulations: [Int: String] = [1: "ether", 32: "infiniband", 512: "ppp", 519: "rawip", 768: "ipip", 65534: "none"]

    /// The function behind a representor, which is the function's port on the host's switch.
    package enum Represented: Hashable, Sendable {
        case virtualFunction(Int)
        case subFunction(Int)
    }

    /// The function behind a representor, from its port name: `pf0vf1`, `c1pf0vf1`, `pf0sf88` (net/core/devlink.c, names of ports by
    /// flavour). Nil for other interfaces.
    package var represented: Represented? {
        guard var rest = portName.map({ $0[...] }) else { return nil }
        func number(after prefix: String) -> Int? {
            guard rest.hasPrefix(prefix) else { return nil }
            let digits = rest.dropFirst(prefix.count).prefix { $0.asciiValue?.isASCIIDigit == true }
            guard let value = Int(digits) else { return nil }
            rest = rest[digits.endIndex...]
            return value
        }
        _ = number(after: "c")
        guard number(after: "pf") != nil else { return nil }
        let represented =
            number(after: "vf").map(Represented.virtualFunction) ?? number(after: "sf").map(Represented.subFunction)
        return rest.isEmpty ? represented : nil
    }
}

extension [Netdev] {
    /// The device's own interfaces: without representors, and without interfaces stacked on another one (a child of IP over InfiniBand has
    /// the same function as its parent).
    package var own: [Netdev] {
        filter { netdev in netdev.represented == nil && !contains { $0.name == netdev.lower } }
    }
}
