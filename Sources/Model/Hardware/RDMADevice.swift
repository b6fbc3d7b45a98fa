// SPDX-License-Identifier: Apache-2.0

/// An RDMA device of libibverbs and `/sys/class/infiniband`.
package struct RDMADevice: Hashable, Sendable, Codable {
    /// Kernel name: `mlx5_0`, `rdmap79s0`.
    package var name: String
    /// Text of `node_type`: `CA`, `RNIC`, `unspecified` (EFA), ...
    package var nodeType: String?
    package var firmware: String?
    /// Node GUID in the form of sysfs: `0c42:a103:0065:bafe`.
    package var nodeGUID: String?
    /// GUID that is equal for all functions of one adapter.
    package var systemImageGUID: String?
    @SparseList package var ports: [RDMAPort]
    /// Device nodes: uverbs, umad and issm. Their numbers change over reboots, so they are found by the device's name.
    @SparseList package var charDevices: [CharDevice]

    package init(
        name: String, nodeGUID: String? = nil, ports: [RDMAPort] = [], charDevices: [CharDevice] = []
    ) {
        self.name = name
        self.nodeGUID = nodeGUID
        self.ports = ports
        self.charDevices = charDevices
    }

    /// Texts of `node_type` by their number (drivers/infiniband/core/sysfs.c).
    package static let nodeTypes = ["?", "CA", "switch", "router", "RNIC", "usNIC", "usNIC UDP", "unspecified"]
}

/// A port of an RDMA device. Ports are numbered from 1.
package struct RDMAPort: Hashable, Sendable, Codable {
    package var number: Int
    /// `ACTIVE`, `DOWN`, `INIT`, `ARMED`.
    package var state: String?
    /// `Ethernet`, `InfiniBand`, or `Unspecified` for EFA.
    package var linkLayer: String?
    /// Gb/s; nil for an impossible value.
    package var rate: Double? {
        didSet { rate = Self.plausible(rate) }
    }

    /// Returns a rate within the limits: far above any port, and within an integer.
    private static func plausible(_ rate: Double?) -> Double? { rate.flatMap { (0...1_000_000).contains($0) ? $0 : nil } }

    /// Local identifier of an InfiniBand port that a subnet manager has configured.
    package var lid: Int?
    /// Name of the interface of the port (RoCE, iWARP).
    package var netdev: String?
    @SparseList package var gids: [GID]

    package init(number: Int, state: String? = nil, linkLayer: String? = nil, rate: Double? = nil) {
        self.number = number
        self.state = state
        self.linkLayer = linkLayer
        self.rate = Self.plausible(rate)
        gids = []
    }

    private enum CodingKeys: String, CodingKey {
        case number, state, linkLayer, rate, lid, netdev, gids
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        number = try values.decode(Int.self, forKey: .number)
        state = try values.decodeIfPresent(String.self, forKey: .state)
        linkLayer = try values.decodeIfPresent(String.self, forKey: .linkLayer)
        rate = try values.decodeIfPresent(Double.self, forKey: .rate)
        guard rate == Self.plausible(rate) else {
            throw DecodingError.dataCorruptedError(forKey: .rate, in: values, debugDescription: "is not a rate in Gb/s, 0 to 1000000")
        }
        lid = try values.decodeIfPresent(Int.self, forKey: .lid)
        netdev = try values.decodeIfPresent(String.self, forKey: .netdev)
        gids = try values.list(.gids)
    }
}

/// An entry of a port's table of global identifiers.
package struct GID: Hashable, Sendable, Codable {
    package var index: Int
    /// Value in the form of sysfs: eight groups of four digits.
    package var value: String
    /// `IB/RoCE v1` or `RoCE v2`.
    package var type: String?

    package init(index: Int, value: String, type: String? = nil) {
        self.index = index
        self.value = value
        self.type = type
    }
}
