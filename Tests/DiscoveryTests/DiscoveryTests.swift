// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import NetworkModel
import Linux
import Logging
import Primitives
import Testbed
import Testing

struct DiscoveryTests {
    private func tree(_ functions: [PCIFunction], _ change: (String) throws -> Void = { _ in }) throws -> Machine {
        let folder = try ScratchFolder()
        try TreeWriter.write(Machine(functions: functions), to: folder.path)
        try change(folder.path)
        return try Discovery(root: .captured(at: folder.path)).snapshot().machine
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
    func `a function without a valid id is skipped, and the others stay`(vendor: String) throws {
        var other = Self.nic
        other.address.bus = 2
        other.path = ["pci0000:00"]
        let machine = try tree([Self.nic, other]) { root in
            try Files.remove("\(root)/\(Self.folder)/uevent")
            try Files.write("\(root)/\(Self.folder)/vendor", vendor)
        }
        #expect(machine.functions == [other])
    }

    @Test(arguments: ["", "garbage", "PCI_CLASS=20000", "PCI_ID=15B3", "PCI_ID=15B3:1021\nPCI_CLASS=0000000200", "\u{0}"])
    func `ids in single files replace a damaged uevent`(event: String) throws {
        let machine = try tree([Self.nic]) { try Files.write("\($0)/\(Self.folder)/uevent", event) }
        #expect(machine.functions == [Self.nic])
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
    func `a function below a hypervisor's bus has no PCIe root, but keeps its position`() throws {
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
    func `a tree without classes, or with plain folders as classes, gives the same machine`() throws {
        let machine = try #require(try MachineDescription.embedded("aws-p5")).machine
        let folder = try ScratchFolder()
        try TreeWriter.write(machine, to: folder.path)
        for name in ["net", "infiniband", "infiniband_verbs"] { ScratchFolder.removeTree(folder("sys/class/\(name)")) }
        #expect(try differences(try Discovery(root: .captured(at: folder.path)).snapshot().machine, machine) == [])
        // One device, in a plain folder that links to its function.
        try Files.makeFolder(folder("sys/class/infiniband/rdmap79s0"))
        try Files.makeLink(folder("sys/class/infiniband/rdmap79s0/device"), to: "../../../bus/pci/devices/0000:4f:00.0")
        let found = try Discovery(root: .captured(at: folder.path)).snapshot().machine.functions.filter { !$0.rdmaDevices.isEmpty }
        #expect(found.map(\.address.description) == ["0000:4f:00.0"])
    }

    @Test(arguments: [
        ("libno-such-library.so.1", "libno-such-library.so.1: cannot open shared object file: No such file or directory"),
        ("libm.so.6", "libm.so.6 has no ibv_get_device_list"),
    ])
    func `a host without RDMA user space has no verbs, and the error has the loader's message`(library: String, cause: String) {
        let error = #expect(throws: InputError.self) { try Verbs(library: library) }
        #expect(error?.code == .unreadable && error?.object == "libibverbs" && error?.cause == cause)
    }

    @Test
    func `this host is discovered`() throws {
        let machine = try Discovery(root: .live()).snapshot().machine
        let onDisk = Files.list("/sys/bus/pci/devices").filter { PCIAddress(parsing: $0) != nil }
        #expect(machine.functions.map(\.address.description) == onDisk)
        let interfaces = Files.list("/sys/class/net").filter { $0 != "lo" && $0 != "bonding_masters" }
        let found = machine.functions.flatMap(\.netdevs) + machine.virtualNetdevs
        #expect(found.map(\.name).sorted() == interfaces)
        for netdev in found {
            #expect(try Files.readText("/sys/class/net/\(netdev.name)/address") == "\(netdev.mac?.description ?? "")\n")
        }
    }
}
