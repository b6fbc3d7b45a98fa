// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The desired settings of a request's network devices: the opaque parameters of a claim or class.
///
/// Schema: `api/networkconfig.schema.json`. Nil means "not set", so that a claim's configuration can overlay its
/// class's configuration field by field; false and 0 are set values.
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
    package var virtualFunction = VirtualFunctionSettings()
    package var workload = WorkloadConfig()
    /// Paths of ``ConfigField/pinnable`` that claims may not set; only in classes.
    package var pinned: Set<String>?

    package init() {}

    /// True if the configuration has settings of an interface.
    package var concernsInterface: Bool {
        interface != InterfaceConfig() || routes != nil || rules != nil || neighbours != nil || features != nil || privateFlags != nil
            || virtualFunction != VirtualFunctionSettings()
    }
}

/// The settings of an interface.
package struct InterfaceConfig: Hashable, Sendable {
    /// The interface's name in the pod.
    package var name: String?
    package var addresses: [IPPrefix]?
    package var dhcp: Bool?
    package var dhcp6: Bool?
    /// Destinations that a DHCP server may set routes to.
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
    /// 0 never, 1 unless forwarding is enabled, 2 always (Documentation/networking/ip-sysctl.rst).
    package var acceptRA: Int?
    package var detachesPrograms: Bool?
    package var vrf: VRF?
    package var child: ChildInterface?
    /// `ipv4.rp_filter`, `ipv6.neigh.ucast_solicit`: files of the interface in /proc/sys/net.
    package var sysctls: [String: String]?

    package init() {}
}

/// The access to RDMA devices in the pod.
package struct RDMAConfig: Hashable, Sendable {
    /// True to add the nodes of the management interface (umad, issm), for subnet managers and tools; containers usually get only uverbs.
    package var management: Bool?

    package init() {}
}

/// Files and variables that describe the devices to the workload.
package struct WorkloadConfig: Hashable, Sendable {
    /// Variables that limit NCCL, UCX and libfabric to the claim's devices.
    package var environment: Bool?
    /// A topology file of the claim's devices for NCCL.
    package var ncclTopology: Bool?

    package init() {}
}
