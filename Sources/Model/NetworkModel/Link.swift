// SPDX-License-Identifier: Apache-2.0

/// A network interface as rtnetlink describes it (RTM_NEWLINK).
package struct Link: Hashable, Sendable {
    /// The number, which is unique in the network namespace unless its creator chose it.
    package var index: Int32
    package var name = ""
    /// The type of frames: ARPHRD_ETHER is 1, ARPHRD_INFINIBAND 32 (linux/if_arp.h).
    package var type: UInt16
    /// IFF_ flags (linux/if.h).
    package var flags: UInt32
    package var address: HardwareAddress?
    package var mtu: UInt32 = 0
    /// IFLA_OPERSTATE as RFC 2863 names it, in lower case as in sysfs.
    package var state = "unknown"
    /// True if the physical layer has a signal; nil if the kernel does not report it.
    package var hasCarrier: Bool?
    /// The index of the interface below (in ``linkNamespace`` if set).
    package var link: Int32?
    /// The namespace id of the interface below, if it is in another namespace.
    package var linkNamespace: Int32?
    /// The index of the bridge, bond, team or VRF of which it is a port.
    package var master: Int32?
    /// `veth`, `macvlan`, ...; nil for hardware.
    package var kind: String?
    package var alias: String?
    package var alternativeNames: [String] = []
    package var minimalMTU: UInt32?
    /// Nil for no bound.
    package var maximalMTU: UInt32?
    package var permanentAddress: HardwareAddress?
    /// The driver's name of the port: `p0` for a physical port, `pf0vf1` and `pf0sf88` for the
    /// representors of a switchdev NIC.
    package var portName: String?
    /// The id of the port's switch in hexadecimal; equal for all ports of one switchdev NIC.
    package var switchID: String?
    /// The interface's device and its bus: `0000:8a:00.0` of `pci`, `virtio0` of `virtio`,
    /// `mlx5_core.sf.2` of `auxiliary`. Nil before Linux 5.14.
    package var parentDevice: String?
    package var parentBus: String?
    /// IFLA_LINKMODE: in mode 1 (dormant), a user-space program decides when the interface is operational.
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
