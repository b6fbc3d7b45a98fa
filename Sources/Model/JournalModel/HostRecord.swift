// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The settings of an interface on the host: all that a move into a pod loses, and that a plan or a pod can change.
///
/// After the pod only what differs from the record is set. Settings that the kernel does not take back as it reported them (classes and
/// filters of traffic control) keep an interface on the host. Routes that go into the pod with the interface's own addresses are those of
/// the main table without default routes, the rules that select these addresses or name the interface, the tables of these rules, and
/// permanent neighbours.
package struct HostRecord: Hashable, Sendable, Codable {
    package var name: String
    package var index: Int32
    package var hardwareAddress: HardwareAddress?
    /// The address the hardware was made with: it tells the interface from all others.
    package var permanentAddress: HardwareAddress?
    /// The device on a bus that it belongs to: `0000:8a:00.0`.
    package var parentDevice: String?
    package var mtu: UInt32
    package var isUp: Bool
    /// Recorded RFC 2863 state, in words.
    package var state: String
    /// rtnetlink's kind of a virtual interface.
    package var kind: String?
    package var alias: String?
    package var alternativeNames: [String]
    package var settings: LinkSettings?
    /// Offloads and the driver's own flags, as they were requested.
    package var features: BitSet?
    package var privateFlags: BitSet?
    /// The interface below it, or its peer, by number.
    package var link: Int32?
    /// Inode number of its folder in sysfs: no other interface of this run of the kernel has it, whatever its name, number, address or
    /// namespace. Only of virtual interfaces, which nothing else tells apart.
    package var inode: UInt64?
    /// True when nothing was stacked on it that receives its packets; nil when the kernel did not say.
    package var hasNoUpper: Bool?
    package var linkMode: UInt8?
    package var broadcast: HardwareAddress?
    package var protoDown: ProtoDown?
    /// Numbers of the XDP and TCX programs that the host had attached.
    package var xdp: XDPPrograms?
    package var hookPrograms: [UInt32]?
    /// Settings of the driver, such as numbers of queues; nil for interfaces without queues of their own.
    package var parameters: [DriverParameter]?
    /// N-tuple rules, RSS and hardware timestamping; nil for interfaces that are on no bus.
    package var driverSettings: DriverSettings?
    /// Settings that only sysfs has; nil where that could not be read, or the record is of a release that did not read it.
    package var sysfs: SysfsSettings?
    /// Recorded settings of the virtual functions.
    package var functions: [VirtualFunction]?
    /// Software RDMA devices on the interface, which every move destroys.
    package var softwareRDMA: SoftwareRDMA?
    package var addresses: [InterfaceAddress]
    /// Configured routes; the kernel adds those of addresses again by itself.
    package var routes: [Route]
    package var neighbours: [Neighbour]
    package var neighbourSettings: [NeighbourSettings]
    /// Configured queueing disciplines, each after its parent.
    @AddedList package var queueing: [QueueingDiscipline]
    /// Rules that go into the pod with the interface: on the host they stay, whether it is there or not.
    package var rules: [Rule]
    /// Seconds since boot when this was recorded: lifetimes of addresses go on meanwhile.
    package var recordedAt: Int?

    package init(_ link: Link) {
        name = link.name
        index = link.index
        hardwareAddress = link.address
        permanentAddress = link.permanentAddress
        parentDevice = link.parentDevice
        mtu = link.mtu
        isUp = link.isUp
        state = link.state
        kind = link.kind
        alias = link.alias
        alternativeNames = link.alternativeNames
        self.link = link.link
        broadcast = link.broadcast
        linkMode = link.linkMode
        protoDown = link.protoDown
        xdp = link.xdp == XDPPrograms() ? nil : link.xdp
        addresses = []
        routes = []
        neighbours = []
        neighbourSettings = []
        queueing = []
        rules = []
    }
}

/// An RDMA device of the rxe driver (RoCE without hardware; rdma-link(8)).
package struct SoftwareRDMA: Hashable, Sendable, Codable {
    package var name: String
    /// No two devices of a run of the kernel have the same.
    package var index: UInt32
    /// Its node in /dev/infiniband, which containers were promised: `uverbs0`. Nil where verbs are not loaded.
    package var node: String?

    package init(name: String, index: UInt32, node: String?) {
        self.name = name
        self.index = index
        self.node = node
    }
}

/// A virtual function as its physical function had it.
package struct VirtualFunctionRecord: Hashable, Sendable, Codable {
    package var parent: String
    package var number: UInt32
    package var settings: VirtualFunction

    package init(parent: String, number: UInt32, settings: VirtualFunction) {
        self.parent = parent
        self.number = number
        self.settings = settings
    }
}
