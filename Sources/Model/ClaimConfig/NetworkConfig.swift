// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// What a user asks of the network devices of a request: the opaque parameters of a claim or class.
///
/// Shape: `api/networkconfig.schema.json`. Nil means "not said", so that a claim's configuration can be
/// laid over that of its class, field by field; false and 0 are said.
package struct NetworkConfig: Hashable, Sendable {
    package var interface = InterfaceConfig()
    package var routes: [RouteConfig]?
    package var rules: [RuleConfig]?
    package var neighbors: [NeighborConfig]?
    /// Offloads by the kernel's names.
    package var features: [String: Bool]?
    /// Flags of the driver by its own names.
    package var privateFlags: [String: Bool]?
    package var rdma = RDMAConfig()
    package var virtualFunction = VirtualFunctionConfig()
    package var workload = WorkloadConfig()
    /// Of a class: paths of ``ConfigField/pinnable`` that claims may not set.
    package var pinned: Set<String>?

    package init() {}

    /// True when it asks something of an interface.
    package var concernsInterface: Bool {
        interface != InterfaceConfig() || routes != nil || rules != nil || neighbors != nil || features != nil || privateFlags != nil
            || virtualFunction != VirtualFunctionConfig()
    }
}

/// The interface itself.
package struct InterfaceConfig: Hashable, Sendable {
    /// The interface's name in the pod.
    package var name: String?
    package var addresses: [IPPrefix]?
    package var dhcp: Bool?
    package var dhcp6: Bool?
    /// Networks into which a DHCP server may give routes.
    package var dhcpRoutes: [IPPrefix]?
    package var mtu: Int?
    package var hardwareAddress: HardwareAddress?
    package var gsoMaxSize: Int?
    package var groMaxSize: Int?
    package var gsoIPv4MaxSize: Int?
    package var groIPv4MaxSize: Int?
    package var forwarding: Bool?
    package var arpIgnore: Int?
    package var arpAnnounce: Int?
    /// 0 no, 1 unless it forwards, 2 always (Documentation/networking/ip-sysctl.rst).
    package var acceptRA: Int?
    package var disablesPrograms: Bool?
    package var vrf: VRFConfig?
    package var child: ChildConfig?
    /// `ipv4.rp_filter`, `ipv6.neigh.ucast_solicit`: a file of the interface in /proc/sys/net.
    package var sysctls: [String: String]?

    package init() {}
}

/// A routing domain in the pod.
package struct VRFConfig: Hashable, Sendable {
    package var name: String
    package var table: UInt32

    package init(name: String, table: UInt32? = nil) {
        self.name = name
        self.table = table ?? Self.table(for: name)
    }

    /// From 1000 to 1999, by the name: FNV-1a of 32 bits, as DRANET has it.
    private static func table(for name: String) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for byte in name.utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return hash % 1000 + 1000
    }
}

/// An interface for the pod that is stacked on the device's, which stays on the host.
package struct ChildConfig: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case macvlan, ipvlan, vlan

        /// Modes and the kernel's numbers for them (linux/if_link.h).
        package var modes: [(name: String, number: UInt32)] {
            switch self {
            case .macvlan: [("private", 1), ("vepa", 2), ("bridge", 4), ("passthru", 8)]
            case .ipvlan: [("l2", 0), ("l3", 1), ("l3s", 2)]
            case .vlan: []
            }
        }
    }

    package var kind: Kind
    package var mode: UInt32?
    package var vlan: UInt16?

    package init(kind: Kind, mode: UInt32? = nil, vlan: UInt16? = nil) {
        self.kind = kind
        self.mode = mode
        self.vlan = vlan
    }
}

/// A route in the pod.
package struct RouteConfig: Hashable, Sendable {
    package var destination: IPPrefix
    /// Nil for a destination on the link itself.
    package var gateway: IPAddress?
    package var source: IPAddress?
    package var table: UInt32?
    package var metric: UInt32?
    package var mtu: UInt32?
    package var isOnLink: Bool?

    package init(destination: IPPrefix, gateway: IPAddress? = nil, source: IPAddress? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
    }
}

/// A rule in the pod: which packets look up which table.
package struct RuleConfig: Hashable, Sendable {
    package var source: IPPrefix?
    package var destination: IPPrefix?
    package var table: UInt32
    /// Nil lets the kernel choose.
    package var priority: UInt32?

    package init(source: IPPrefix? = nil, destination: IPPrefix? = nil, table: UInt32, priority: UInt32? = nil) {
        self.source = source
        self.destination = destination
        self.table = table
        self.priority = priority
    }

    package var isV6: Bool { (source ?? destination)?.address.isV6 ?? false }
}

package struct NeighborConfig: Hashable, Sendable {
    package var destination: IPAddress
    package var hardwareAddress: HardwareAddress

    package init(destination: IPAddress, hardwareAddress: HardwareAddress) {
        self.destination = destination
        self.hardwareAddress = hardwareAddress
    }
}

package struct RDMAConfig: Hashable, Sendable {
    /// The nodes of the management interface too (umad, issm), for subnet managers and tools; usually only uverbs.
    package var management: Bool?

    package init() {}
}

/// What the physical function is told of a virtual one.
package struct VirtualFunctionConfig: Hashable, Sendable {
    package var vlan: UInt16?
    package var trust: Bool?
    package var spoofCheck: Bool?
    /// Mb/s; 0 is no limit.
    package var minTxRate: UInt32?
    package var maxTxRate: UInt32?

    package init() {}
}

/// What the workload is told.
package struct WorkloadConfig: Hashable, Sendable {
    /// Variables that make NCCL, UCX and libfabric use exactly the claim's devices.
    package var environment: Bool?
    /// A topology file for NCCL of the claim's devices.
    package var ncclTopology: Bool?

    package init() {}
}
