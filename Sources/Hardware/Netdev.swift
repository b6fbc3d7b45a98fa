// SPDX-License-Identifier: Apache-2.0

/// A network interface as the kernel shows it.
package struct Netdev: Hashable, Sendable, Codable {
    /// Interface name, at most 15 bytes.
    package var name: String
    /// Interface index in the namespace it was seen in; 0 when not known.
    package var index: Int
    /// Hardware address in lower-case hexadecimal with colons; 20 bytes for IP over InfiniBand.
    package var mac: String?
    package var mtu: Int?
    /// RFC 2863 state as the kernel prints it: `up`, `down`, `unknown`, ...
    package var state: String?
    /// Mb/s; nil when the driver does not say.
    package var speed: Int?
    /// The rtnetlink kind of a virtual interface: `veth`, `macvlan`, `vlan`, ...
    package var kind: String?
    /// Addresses with their prefix lengths: `10.0.0.5/24`.
    package var addresses: [String]
    /// True when the node's own traffic depends on this interface.
    package var isUplink: Bool

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
        self.addresses = addresses
        self.isUplink = isUplink
    }

    private enum CodingKeys: String, CodingKey {
        case name, index, mac, mtu, state, speed, kind, addresses
        case isUplink = "uplink"
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try values.decode(String.self, forKey: .name),
            index: try values.decodeIfPresent(Int.self, forKey: .index) ?? 0,
            mac: try values.decodeIfPresent(String.self, forKey: .mac),
            mtu: try values.decodeIfPresent(Int.self, forKey: .mtu),
            state: try values.decodeIfPresent(String.self, forKey: .state),
            speed: try values.decodeIfPresent(Int.self, forKey: .speed),
            kind: try values.decodeIfPresent(String.self, forKey: .kind),
            addresses: try values.decodeIfPresent([String].self, forKey: .addresses) ?? [],
            isUplink: try values.decodeIfPresent(Bool.self, forKey: .isUplink) ?? false)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        if index != 0 { try values.encode(index, forKey: .index) }
        try values.encodeIfPresent(mac, forKey: .mac)
        try values.encodeIfPresent(mtu, forKey: .mtu)
        try values.encodeIfPresent(state, forKey: .state)
        try values.encodeIfPresent(speed, forKey: .speed)
        try values.encodeIfPresent(kind, forKey: .kind)
        if !addresses.isEmpty { try values.encode(addresses, forKey: .addresses) }
        if isUplink { try values.encode(true, forKey: .isUplink) }
    }
}

/// An RDMA device: what libibverbs and `/sys/class/infiniband` list.
package struct RDMADevice: Hashable, Sendable, Codable {
    /// Kernel name: `mlx5_0`, `rdmap79s0`.
    package var name: String
    /// Node GUID as sysfs prints it: `0c42:a103:0065:bafe`.
    package var nodeGUID: String?
    package var ports: [RDMAPort]
    /// Its uverbs node. The number changes over reboots, so it is always found by device name.
    package var charDevices: [CharDevice]

    package init(
        name: String, nodeGUID: String? = nil, ports: [RDMAPort] = [], charDevices: [CharDevice] = []
    ) {
        self.name = name
        self.nodeGUID = nodeGUID
        self.ports = ports
        self.charDevices = charDevices
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try values.decode(String.self, forKey: .name),
            nodeGUID: try values.decodeIfPresent(String.self, forKey: .nodeGUID),
            ports: try values.decodeIfPresent([RDMAPort].self, forKey: .ports) ?? [],
            charDevices: try values.decodeIfPresent([CharDevice].self, forKey: .charDevices) ?? [])
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(name, forKey: .name)
        try values.encodeIfPresent(nodeGUID, forKey: .nodeGUID)
        if !ports.isEmpty { try values.encode(ports, forKey: .ports) }
        if !charDevices.isEmpty { try values.encode(charDevices, forKey: .charDevices) }
    }

    private enum CodingKeys: String, CodingKey {
        case name, nodeGUID, ports, charDevices
    }
}

/// A port of an RDMA device. Ports are numbered from 1.
package struct RDMAPort: Hashable, Sendable, Codable {
    package var number: Int
    /// `ACTIVE`, `DOWN`, `INIT`, `ARMED`.
    package var state: String?
    /// `Ethernet`, `InfiniBand`, or `Unspecified` for EFA.
    package var linkLayer: String?
    /// Gb/s.
    package var rate: Double?

    package init(number: Int, state: String? = nil, linkLayer: String? = nil, rate: Double? = nil) {
        self.number = number
        self.state = state
        self.linkLayer = linkLayer
        self.rate = rate
    }
}
