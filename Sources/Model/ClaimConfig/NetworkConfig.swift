// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The desired settings of the network devices of a request: the opaque parameters of a claim or class.
///
/// Shape: `api/networkconfig.schema.json`. Nil means "not said", so that a claim's configuration can be
/// laid over that of its class, field by field; false and 0 are said.
package struct NetworkConfig: Hashable, Sendable {
    package var interface = InterfaceConfig()
    package var routes: [RouteSpec]?
    package var rules: [Rule]?
    package var neighbours: [NeighbourSpec]?
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
        interface != InterfaceConfig() || routes != nil || rules != nil || neighbours != nil || features != nil || privateFlags != nil
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
    package var detachesPrograms: Bool?
    package var vrf: VRF?
    package var child: ChildInterface?
    /// `ipv4.rp_filter`, `ipv6.neigh.ucast_solicit`: a file of the interface in /proc/sys/net.
    package var sysctls: [String: String]?

    package init() {}
}

/// The access to RDMA devices in the pod.
package struct RDMAConfig: Hashable, Sendable {
    /// The nodes of the management interface too (umad, issm), for subnet managers and tools; usually only uverbs.
    package var management: Bool?

    package init() {}
}

/// Settings of a virtual function on its physical function.
package struct VirtualFunctionConfig: Hashable, Sendable {
    package var vlan: UInt16?
    package var isTrusted: Bool?
    package var checksSpoofing: Bool?
    /// Mb/s; 0 is no limit.
    package var minimalRate: UInt32?
    package var maximalRate: UInt32?

    package init() {}
}

/// Descriptions of the devices for the workload.
package struct WorkloadConfig: Hashable, Sendable {
    /// Variables that make NCCL, UCX and libfabric use exactly the claim's devices.
    package var environment: Bool?
    /// A topology file for NCCL of the claim's devices.
    package var ncclTopology: Bool?

    package init() {}
}
