// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// A network interface as the kernel shows it.
package struct Netdev: Hashable, Sendable, Codable {
    /// Interface name, at most 15 bytes.
    package var name: String
    /// Interface index in the namespace it was seen in; 0 when not known.
    package var index: Int
    /// Hardware address in lower-case hexadecimal with colons; 20 bytes for IP over InfiniBand.
    package var mac: String?
    /// The address the device was made with.
    package var permanentMAC: String?
    package var mtu: Int?
    /// Bounds of the MTU; a nil upper bound is none.
    package var minimalMTU: Int?
    package var maximalMTU: Int?
    /// RFC 2863 state as the kernel prints it: `up`, `down`, `unknown`, ...
    package var state: String?
    /// Whether somebody has switched it on (IFF_UP): one that is off has no carrier, and nothing is wrong with it.
    package var isEnabled: Bool?
    /// True when the physical layer has a signal.
    package var hasCarrier: Bool?
    /// The type of its frames: `ether`, `infiniband`, `none` (if_arp.h, ARPHRD).
    package var encapsulation: String?
    /// Mb/s; nil when the driver does not say.
    package var speed: Int?
    /// Version of the device's firmware as its driver tells it.
    package var firmware: String?
    /// The rtnetlink kind of a virtual interface: `veth`, `macvlan`, `vlan`, ...
    package var kind: String?
    /// The interface it is stacked on.
    package var lower: String?
    /// Number of the device's port it stands for, from 0 (dev_port).
    package var port: Int?
    /// What the driver calls that port: `p0`, `pf0vf1`, `pf0sf88`.
    package var portName: String?
    /// The switch that the port belongs to; equal for all ports of one switchdev NIC.
    package var switchID: String?
    package var alias: String?
    package var alternativeNames: [String]
    /// Addresses with their prefix lengths: `10.0.0.5/24`.
    package var addresses: [String]
    /// The device on a bus that the interface belongs to, as the kernel names it: `0000:8a:00.0`, `virtio0`.
    package var parentDevice: String?
    /// The use that the host itself makes of this interface; nil for none, or when it is not known.
    package var hostUse: HostUse?

    package init(
        name: String, index: Int = 0, mac: String? = nil, mtu: Int? = nil, state: String? = nil,
        speed: Int? = nil, kind: String? = nil, addresses: [String] = [], isUplink: Bool = false
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

    /// True when the node's own traffic depends on this interface.
    package var isUplink: Bool { hostUse.map { !$0.yieldsToPolicy } ?? false }

    private enum CodingKeys: String, CodingKey {
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
        mac = try values.decodeIfPresent(String.self, forKey: .mac)
        permanentMAC = try values.decodeIfPresent(String.self, forKey: .permanentMAC)
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
        // A description that tells no more than this has it from the default routes.
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

extension Netdev {
    /// Kinds of frames by their number (linux/if_arp.h), as `ip link` calls them.
    package static let encapsulations: [Int: String] = [1: "ether", 32: "infiniband", 512: "ppp", 519: "rawip", 768: "ipip", 65534: "none"]

    /// Whose other end a representor is: what the host's switch sees of a function it gave away.
    package enum Represented: Hashable, Sendable {
        case virtualFunction(Int)
        case subFunction(Int)
    }

    /// Nil for every interface but a representor. The port's name tells: `pf0vf1`, `c1pf0vf1`, `pf0sf88`
    /// (net/core/devlink.c, names of ports by flavour).
    package var represented: Represented? {
        guard var rest = portName.map({ $0[...] }) else { return nil }
        func number(after prefix: String) -> Int? {
            guard rest.hasPrefix(prefix) else { return nil }
            let digits = rest.dropFirst(prefix.count).prefix { $0.isASCII && $0.isNumber }
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
    /// Of the interfaces of one device its own: no representors, and none that is stacked on another of them
    /// (a child of IP over InfiniBand hangs on the same function as its parent).
    package var own: [Netdev] {
        filter { netdev in netdev.represented == nil && !contains { $0.name == netdev.lower } }
    }
}
