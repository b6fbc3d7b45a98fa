// SPDX-License-Identifier: Apache-2.0

import Addressing
import Discovery
import Hardware
import Linux
import Logging
import Netlink
import Testbed
import Testing

struct DiscoveryTests {
    private func tree(_ functions: [PCIFunction], _ change: (String) throws -> Void = { _ in }) throws -> Machine {
        let folder = try ScratchFolder()
        try TreeWriter.write(Machine(functions: functions), to: folder.path)
        try change(folder.path)
        return try Discovery(root: .captured(at: folder.path)).snapshot()
    }

    private static let nic = PCIFunction(
        address: PCIAddress(domain: 0, bus: 1, device: 0, function: 0), vendor: "15b3", device: "1021",
        classCode: "020000", path: ["pci0000:00", "0000:00:01.0"], numaNode: 1)
    private static let folder = "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0"

    @Test
    func `a NUMA node of -1 is unknown, not 0`() throws {
        let machine = try tree([Self.nic]) { try Files.write("\($0)/\(Self.folder)/numa_node", "-1\n") }
        #expect(machine.functions.map(\.numaNode) == [nil])
    }

    @Test(arguments: ["", "garbage", "0x", "0x15b3000", "\u{0}\u{0}", "0xzzzz"])
    func `a function without a usable id is left out, and the others stay`(vendor: String) throws {
        var other = Self.nic
        other.address.bus = 2
        other.path = ["pci0000:00"]
        let machine = try tree([Self.nic, other]) { try Files.write("\($0)/\(Self.folder)/vendor", vendor) }
        #expect(machine.functions == [other])
    }

    @Test
    func `an endless file is not read to its end`() throws {
        let machine = try tree([Self.nic]) { root in
            try Files.remove("\(root)/\(Self.folder)/numa_node")
            try Files.makeLink("\(root)/\(Self.folder)/numa_node", to: "/dev/zero")
        }
        #expect(machine.functions.map(\.numaNode) == [nil])
    }

    @Test
    func `a function below a hypervisor's bus has no PCIe root, but keeps its place`() throws {
        var function = Self.nic
        function.path = ["LNXSYSTM:00", "VMBUS:00", "00000000-0000-0000-0000-000000000001", "pci0101:00"]
        let machine = try tree([function])
        #expect(machine.functions == [function])
        #expect(machine.functions.first?.pcieRoot == nil)
        #expect(machine.functions.first?.hostBridge == "pci0101:00")
    }

    @Test
    func `a virtio interface belongs to its PCI function`() throws {
        let machine = try tree([Self.nic]) { root in
            try Files.makeFolder("\(root)/\(Self.folder)/virtio0/net/eth7")
            try Files.makeFolder("\(root)/sys/class/net")
            try Files.makeLink("\(root)/sys/class/net/eth7", to: "../../../\(Self.folder)/virtio0/net/eth7")
        }
        #expect(machine.functions.first?.netdevs.map(\.name) == ["eth7"])
        #expect(machine.virtualNetdevs.isEmpty)
    }

    @Test
    func `a tree whose classes are plain folders, or not there, tells as much`() throws {
        let machine = try #require(try MachineDescription.embedded("aws-p5")).machine
        let folder = try ScratchFolder()
        try TreeWriter.write(machine, to: folder.path)
        for name in ["net", "infiniband", "infiniband_verbs"] { ScratchFolder.removeTree(folder("sys/class/\(name)")) }
        #expect(try Discovery(root: .captured(at: folder.path)).snapshot() == machine)
        // One device, in a plain folder that links to its function.
        try Files.makeFolder(folder("sys/class/infiniband/rdmap79s0"))
        try Files.makeLink(folder("sys/class/infiniband/rdmap79s0/device"), to: "../../../bus/pci/devices/0000:4f:00.0")
        let found = try Discovery(root: .captured(at: folder.path)).snapshot().functions.filter { !$0.rdmaDevices.isEmpty }
        #expect(found.map(\.address.description) == ["0000:4f:00.0"])
    }

    @Test
    func `this host is discovered`() throws {
        let machine = try Discovery(root: .live()).snapshot()
        let onDisk = Files.list("/sys/bus/pci/devices").filter { PCIAddress(parsing: $0) != nil }
        #expect(machine.functions.map(\.address.description) == onDisk)
        let interfaces = Files.list("/sys/class/net").filter { $0 != "lo" && $0 != "bonding_masters" }
        let found = machine.functions.flatMap(\.netdevs) + machine.virtualNetdevs
        #expect(found.map(\.name).sorted() == interfaces)
        for netdev in found {
            #expect(try Files.readText("/sys/class/net/\(netdev.name)/address") == "\(netdev.mac ?? "")\n")
        }
    }

    @Test(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
    func `a change of a link is announced`() async throws {
        let stream = try HostWatcher.changes(log: .init(label: "test"))
        let namespace = try NetworkNamespace.current()
        try namespace.run { () throws(SystemError) in
            do throws(NetlinkError) {
                let socket = try NetlinkSocket()
                try socket.addLink("nearw0", kind: "veth")
                if let link = try socket.link(named: "nearw0") { try socket.deleteLink(link.index) }
            } catch { throw SystemError("\(error)", "", code: error.code) }
        }
        var iterator = stream.makeAsyncIterator()
        #expect(await iterator.next() != nil)
    }
}

struct UplinkTests {
    private func link(_ index: Int32, link: Int32? = nil, master: Int32? = nil, kind: String? = nil) throws -> Link {
        var builder = MessageBuilder()
        Link.header(&builder, index: index)
        builder.attribute(3, text: "if\(index)")
        var result = try #require(Link(Message(type: 16, flags: 0, payload: builder.body)))
        result.link = link
        result.master = master
        result.kind = kind
        return result
    }

    private let defaultRoute = { (index: Int32) in Route(destination: nil, isV6: false, interface: index) }

    @Test
    func `what an uplink is stacked on, and what is stacked on it, are uplinks too`() throws {
        // VLAN 4 on bond 3 of ports 1 and 2; macvlan 5 on the bond; NIC 6 apart.
        let links = [
            try link(1, master: 3), try link(2, master: 3), try link(3, kind: "bond"), try link(4, link: 3, kind: "vlan"),
            try link(5, link: 3, kind: "macvlan"), try link(6),
        ]
        let uplinks = Uplinks.indices(links: links, addresses: [], routes: [defaultRoute(4)], nodeAddresses: [])
        #expect(uplinks == [1, 2, 3, 4, 5])
    }

    @Test
    func `the other end of a veth is no part of the stack`() throws {
        let links = [try link(1, link: 2, kind: "veth"), try link(2, link: 1, kind: "veth")]
        #expect(Uplinks.indices(links: links, addresses: [], routes: [defaultRoute(1)], nodeAddresses: []) == [1])
    }

    @Test
    func `the node's address protects its interface also without a default route`() throws {
        let prefix = try #require(IPPrefix(parsing: "10.0.0.5/24"))
        let addresses = [InterfaceAddress(index: 2, prefix: prefix)]
        let links = [try link(1), try link(2)]
        #expect(Uplinks.indices(links: links, addresses: addresses, routes: [], nodeAddresses: ["10.0.0.5"]) == [2])
        #expect(Uplinks.indices(links: links, addresses: addresses, routes: [], nodeAddresses: []) == [])
    }
}
