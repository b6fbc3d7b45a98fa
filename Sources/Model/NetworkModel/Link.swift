// SPDX-License-Identifier: Apache-2.0

/// A network interface as rtnetlink describes it (RTM_NEWLINK).
package struct Link: Hashable, Sendable {
    /// Unique within its network namespace unless a creator chooses it.
    package var index: Int32
    package var name = ""
    /// The type of its frames: ARPHRD_ETHER is 1, ARPHRD_INFINIBAND 32 (linux/if_arp.h).
    package var type: UInt16
    /// IFF_ flags (linux/if.h).
    package var flags: UInt32
    package var address: HardwareAddress?
    package var mtu: UInt32 = 0
    /// IFLA_OPERSTATE as text: RFC 2863 names, in lower case as sysfs prints them.
    package var state = "unknown"
    /// True when the physical layer has a signal; nil when the kernel does not say.
    package var hasCarrier: Bool?
    /// Index of the device it is stacked on (in ``linkNamespace`` when that is set).
    package var link: Int32?
    /// The namespace id of that device, when it is in another namespace.
    package var linkNamespace: Int32?
    /// Index of the bridge, bond, team or VRF it belongs to.
    package var master: Int32?
    /// `veth`, `macvlan`, ...: nil for hardware.
    package var kind: String?
    package var alias: String?
    package var alternativeNames: [String] = []
    package var minimalMTU: UInt32?
    /// Nil when there is no bound.
    package var maximalMTU: UInt32?
    package var permanentAddress: HardwareAddress?
    /// The driver's name of the port: `p0` for a physical one, `pf0vf1` and `pf0sf88` for the
    /// representors of a switchdev NIC.
    package var portName: String?
    /// The switch that the port belongs to, in hexadecimal; equal for all ports of one switchdev NIC.
    package var switchID: String?
    /// The device it belongs to and that one's bus: `0000:8a:00.0` of `pci`, `virtio0` of `virtio`,
    /// `mlx5_core.sf.2` of `auxiliary`. Kernels before 5.14 do not tell.
    package var parentDevice: String?
    package var parentBus: String?
    /// IFLA_LINKMODE: with 1 (dormant), a program of user space says when the interface is operational.
    package var linkMode: UInt8 = 0
    package var broadcast: HardwareAddress?
    package var protoDown = ProtoDown()
    package var xdp = XDPPrograms()

    /// IFF_UP and IFF_LOOPBACK (linux/if.h).
    package var isUp: Bool { flags & 0x1 != 0 }
    package var isLoopback: Bool { flags & 0x8 != 0 }

    package init(index: Int32, type: UInt16, flags: UInt32) {
        self.index = index
        self.type = type
        self.flags = flags
    }
}
