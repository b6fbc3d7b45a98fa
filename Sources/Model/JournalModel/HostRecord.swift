// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// The settings of an interface on the host: all settings that a move loses, or that a plan or a pod can change.
///
/// A restore sets only settings that differ from the record. Settings that the kernel does not accept in the form in which it reports
/// them (classes and filters of traffic control) make an interface not movable. With the interface's own addresses, these routes move
/// into the pod: routes of the main table without default routes, the rules that select these addresses or name the interface, the tables
/// of these rules, and permanent neighbours.
package struct HostRecord: Hashable, Sendable, Codable {
    package var name: String
    package var index: Int32
    package var hardwareAddress: HardwareAddress?
    /// The hardware's permanent address, which identifies the interface.
    package var permanentAddress: HardwareAddress?
    /// The interface's device on a bus: `0000:8a:00.0`.
    package var parentDevice: String?
    package var mtu: UInt32
    package var isUp: Bool
    /// The recorded RFC 2863 state.
    package var state: String
    /// The rtnetlink kind of a virtual interface.
    package var kind: String?
    package var alias: String?
    package var alternativeNames: [String]
    package var settings: LinkSettings?
    /// The requested offloads and private flags of the driver.
    package var features: BitSet?
    package var privateFlags: BitSet?
    /// The number of the interface below, or of the peer.
    package var link: Int32?
    /// Inode number of the interface's folder in sysfs, which is unique until the next boot and does not change with name, number,
    /// address or namespace. Recorded only for virtual interfaces, which have no other identity.
    package var inode: UInt64?
    /// True if no other interface that receives its packets was stacked on it; nil if the kernel did not answer.
    package var hasNoUpper: Bool?
    package var linkMode: UInt8?
    package var broadcast: HardwareAddress?
    package var protoDown: ProtoDown?
    /// Ids of the XDP and TCX programs that the host had attached.
    package var xdp: XDPPrograms?
    package var hookPrograms: [UInt32]?
    /// Settings of the driver, such as numbers of queues; nil for interfaces without their own queues.
    package var parameters: [DriverParameter]?
    /// N-tuple rules, RSS and hardware timestamping; nil for interfaces that are on no bus.
    package var driverSettings: DriverSettings?
    /// Settings that only sysfs provides; nil if they could not be read, or in records of releases that did not read them.
    package var sysfs: SysfsSettings?
    /// Recorded settings of the virtual functions.
    package var functions: [VirtualFunction]?
    /// Software RDMA devices on the interface, which every move destroys.
    package var softwareRDMA: SoftwareRDMA?
    package var addresses: [InterfaceAddress]
    /// Configured routes, without routes that the kernel creates with addresses.
    package var routes: [Route]
    package var neighbours: [Neighbour]
    package var neighbourSettings: [NeighbourSettings]
    /// Configured queueing disciplines, each after its parent.
    @AddedList package var queueing: [QueueingDiscipline]
    /// Rules that move into the pod with the interface. They also stay on the host.
    package var rules: [Rule]
    /// Seconds since boot at the time of the record, from which lifetimes of addresses elapse.
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
    /// The device's number, which is unique until the next boot.
    package var index: UInt32
    /// The device's node in /dev/infiniband, which containers have: `uverbs0`. Nil if the verbs module is not loaded.
    package var node: String?

    package init(name: String, index: UInt32, node: String?) {
        self.name = name
        self.index = index
        self.node = node
    }
}

/// The recorded settings of a virtual function on its physical function.
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
