// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import Inspection
import Linux
import Testbed
import Testing
import Topology

/// A machine with every shape of device that hosts are known to have.
enum Zoo {
    static func address(_ text: String) throws -> PCIAddress { try #require(PCIAddress(parsing: text)) }

    private static func nic(_ address: String, _ device: String = "1021", driver: String? = "mlx5_core") throws -> PCIFunction {
        PCIFunction(
            address: try Self.address(address), vendor: "15b3", device: device, classCode: "020000",
            path: ["pci0000:20", "0000:20:00.0"], numaNode: 0, driver: driver)
    }

    static func machine() throws -> Machine {
        var bridge = PCIFunction(
            address: try address("0000:20:00.0"), vendor: "8086", device: "352a", classCode: "060400", path: ["pci0000:20"],
            numaNode: 0, driver: "pcieport", link: PCILink(gigatransfers: 16, lanes: 16))
        bridge.maximalLink = PCILink(gigatransfers: 32, lanes: 16)
        bridge.acs = [.sourceValidation, .requestRedirect, .completionRedirect, .upstreamForwarding]

        // A physical function in switchdev mode, with a virtual function, a sub-function, and a representor of each.
        var physical = try nic("0000:21:00.0")
        physical.subsystem = "15b3:0023"
        physical.link = PCILink(gigatransfers: 32, lanes: 16)
        physical.maximalLink = PCILink(gigatransfers: 32, lanes: 16)
        physical.iommuGroup = 17
        physical.sriov = SRIOV(total: 16, enabled: 2)
        var uplink = Netdev(name: "ens1f0np0", index: 4, mac: "0c:42:a1:00:00:01", mtu: 9000, state: "up", speed: 400_000)
        uplink.portName = "p0"
        uplink.switchID = "0c42a10000000001"
        uplink.hasCarrier = true
        uplink.alias = "rail 0"
        var virtualPort = Netdev(name: "ens1f0pf0vf1", index: 6)
        virtualPort.portName = "pf0vf1"
        virtualPort.switchID = uplink.switchID
        var subPort = Netdev(name: "ens1f0pf0sf88", index: 7)
        subPort.portName = "c1pf0sf88"
        subPort.switchID = uplink.switchID
        physical.netdevs = [uplink, subPort, virtualPort]
        physical.rdmaDevices = [roce("mlx5_0", netdev: "ens1f0np0", uverbs: 0)]
        var sub = SubFunction(name: "mlx5_core.sf.2", number: 88)
        sub.netdevs = [Netdev(name: "ens1f0s88", index: 8, mac: "00:00:00:00:88:88")]
        sub.rdmaDevices = [roce("mlx5_4", netdev: "ens1f0s88", uverbs: 4)]
        physical.subFunctions = [sub]

        // Virtual functions: 1 with its driver, 0 given to a virtual machine.
        var given = try nic("0000:21:00.2", "101e", driver: "vfio-pci")
        given.physicalFunction = physical.address
        given.virtualFunctionIndex = 0
        given.iommuGroup = 41
        given.charDevices = [CharDevice(path: "/dev/vfio/41", major: 511, minor: 3)]
        var own = try nic("0000:21:00.3", "101e")
        own.physicalFunction = physical.address
        own.virtualFunctionIndex = 1
        own.netdevs = [Netdev(name: "ens1f0v1", index: 9)]

        // The second function of the same card, without a driver.
        let bare = try nic("0000:21:00.1", driver: nil)

        // Two ports on one function, InfiniBand with IP and a child of it, and an RDMA device with both ports.
        var dual = try nic("0000:22:00.0", "1003", driver: "mlx4_core")
        dual.classCode = "028000"
        dual.netdevs = ["ib0", "ib1"].enumerated().map { number, name in
            var netdev = Netdev(name: name, index: 20 + number, mac: "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:10:0f:0\(number)")
            netdev.port = number == 0 ? nil : number
            return netdev
        }
        var child = Netdev(name: "ib0.8001", index: 22)
        child.lower = "ib0"
        dual.netdevs.insert(child, at: 1)
        var infiniband = RDMADevice(name: "mlx4_0", nodeGUID: "0002:c903:0010:0f00")
        infiniband.nodeType = "CA"
        infiniband.firmware = "2.42.5000"
        infiniband.systemImageGUID = "0002:c903:0010:0f03"
        infiniband.ports = (1...2).map { number in
            var port = RDMAPort(number: number, state: number == 1 ? "ACTIVE" : "DOWN", linkLayer: "InfiniBand", rate: 56)
            if number == 1 { port.lid = 12 }
            port.gids = [GID(index: 0, value: "fe80:0000:0000:0000:0002:c903:0010:0f0\(number)")]
            return port
        }
        infiniband.charDevices = [
            CharDevice(path: "/dev/infiniband/issm0", major: 231, minor: 64),
            CharDevice(path: "/dev/infiniband/umad0", major: 231, minor: 0),
            CharDevice(path: "/dev/infiniband/uverbs1", major: 231, minor: 193),
        ].sorted { ($0.name.hasPrefix("uverbs") ? 0 : 1, $0.name) < ($1.name.hasPrefix("uverbs") ? 0 : 1, $1.name) }
        dual.rdmaDevices = [infiniband]

        // InfiniBand without IP, class 0207, in a domain of more than 16 bits below a hypervisor's bus.
        var alone = try nic("10101:00:00.0", "101e")
        alone.classCode = "020700"
        alone.path = ["LNXSYSTM:00", "LNXSYBUS:00", "ACPI0004:00", "VMBUS:00", "00000041-0101-4000-8000-000000000000", "pci10101:00"]
        alone.rdmaDevices = [RDMADevice(name: "mlx5_ib7", ports: [RDMAPort(number: 1, state: "INIT", linkLayer: "InfiniBand")])]

        // RDMA on a function of another class (eRDMA is 0200, some are storage), and without an interface (EFA).
        var odd = PCIFunction(
            address: try address("0000:23:00.0"), vendor: "1ded", device: "107f", classCode: "108000", path: ["pci0000:20"], driver: "erdma"
        )
        odd.rdmaDevices = [RDMADevice(name: "erdma_0"), RDMADevice(name: "erdma_1")]
        var efa = PCIFunction(
            address: try address("0000:24:00.0"), vendor: "1d0f", device: "efa2", classCode: "020000", path: ["pci0000:20"], driver: "efa")
        efa.rdmaDevices = [
            RDMADevice(name: "rdmap36s0", ports: [RDMAPort(number: 1, state: "ACTIVE", linkLayer: "Unspecified", rate: 200)])
        ]
        efa.rdmaDevices[0].nodeType = "unspecified"

        var gpu = PCIFunction(
            address: try address("0000:25:00.0"), vendor: "10de", device: "2330", classCode: "030200",
            path: ["pci0000:20", "0000:20:00.0"], driver: "nvidia", charDevices: [CharDevice(path: "/dev/nvidia3", major: 195, minor: 3)])
        gpu.accelerator = AcceleratorFacts(
            product: "NVIDIA H100 80GB HBM3", uuid: "GPU-6b2c1a7e-0000-4000-8000-0123456789ab", index: 3)
        let instincts = try ["0000:26:00.0", "0000:27:00.0"].map { place in
            var function = PCIFunction(
                address: try address(place), vendor: "1002", device: "74a1", classCode: "120000", path: ["pci0000:20"], driver: "amdgpu")
            function.accelerator = AcceleratorFacts(
                product: "AMD Instinct MI300X", uuid: "a\(place.dropFirst(5).prefix(2))000000000000001", memory: 206_141_652_992,
                hive: "9173642912345", neighbours: [try address(place == "0000:26:00.0" ? "0000:27:00.0" : "0000:26:00.0")])
            let minor = UInt32(place == "0000:26:00.0" ? 128 : 129)
            function.charDevices = [
                CharDevice(path: "/dev/dri/card\(minor - 127)", major: 226, minor: minor - 127),
                CharDevice(path: "/dev/dri/renderD\(minor)", major: 226, minor: minor),
            ]
            return function
        }
        var gaudi = PCIFunction(
            address: try address("0000:28:00.0"), vendor: "1da3", device: "1060", classCode: "120000", path: ["pci0000:20"],
            driver: "habanalabs")
        gaudi.charDevices = [
            CharDevice(path: "/dev/accel/accel0", major: 261, minor: 0),
            CharDevice(path: "/dev/accel/accel_controlD0", major: 261, minor: 1),
        ]
        let neurons = try ["0000:29:00.0", "0000:2a:00.0"].enumerated().map { number, place in
            var function = PCIFunction(
                address: try address(place), vendor: "1d0f", device: "7364", classCode: "088000", path: ["pci0000:20"], driver: "neuron")
            // Indices do not follow the bus.
            function.accelerator = AcceleratorFacts(
                product: "Trainium2", index: 1 - number, neighbours: [try address(number == 0 ? "0000:2a:00.0" : "0000:29:00.0")])
            function.charDevices = [CharDevice(path: "/dev/neuron\(1 - number)", major: 239, minor: UInt32(1 - number))]
            return function
        }
        var macvlan = Netdev(name: "mac0", index: 30, kind: "macvlan")
        macvlan.lower = "ens1f0np0"
        return Machine(
            name: "Zoo", numaNodes: [NUMANode(id: 0, distances: [10, 21]), NUMANode(id: 2, distances: [21, 10])],
            functions: [bridge, physical, bare, given, own, dual, odd, efa, gpu] + instincts + [gaudi] + neurons + [alone],
            virtualNetdevs: [macvlan, Netdev(name: "veth7", index: 31, kind: "veth")],
            virtualRDMADevices: [roce("rxe0", netdev: "veth7", uverbs: 9)],
            sharedCharDevices: [
                CharDevice(path: "/dev/infiniband/rdma_cm", major: 10, minor: 121), CharDevice(path: "/dev/kfd", major: 240, minor: 0),
                CharDevice(path: "/dev/nvidia-modeset", major: 195, minor: 254),
                CharDevice(path: "/dev/nvidia-uvm", major: 234, minor: 0), CharDevice(path: "/dev/nvidia-uvm-tools", major: 234, minor: 1),
                CharDevice(path: "/dev/nvidiactl", major: 195, minor: 255), CharDevice(path: "/dev/vfio/vfio", major: 10, minor: 196),
            ])
    }

    private static func roce(_ name: String, netdev: String, uverbs: UInt32) -> RDMADevice {
        var device = RDMADevice(name: name, nodeGUID: "0c42:a103:0000:000\(uverbs)")
        device.nodeType = "CA"
        var port = RDMAPort(number: 1, state: "ACTIVE", linkLayer: "Ethernet", rate: 400)
        port.netdev = netdev
        port.gids = [
            GID(index: 0, value: "fe80:0000:0000:0000:0e42:a1ff:fe00:0001", type: "IB/RoCE v1"),
            GID(index: 1, value: "fe80:0000:0000:0000:0e42:a1ff:fe00:0001", type: "RoCE v2"),
            GID(index: 3, value: "0000:0000:0000:0000:0000:ffff:0a00:0001", type: "RoCE v2"),
        ]
        device.ports = [port]
        device.charDevices = [CharDevice(path: "/dev/infiniband/uverbs\(uverbs)", major: 231, minor: 192 + uverbs)]
        return device
    }
}

struct IdentityTests {
    @Test
    func `every shape of device is discovered as what it is`() throws {
        let machine = try Zoo.machine()
        let folder = try ScratchFolder()
        try TreeWriter.write(machine, to: folder.path)
        // An empty entry between two of a table of identifiers.
        let gids = "sys/class/infiniband/mlx5_0/ports/1/gids/2"
        try Files.write(folder(gids), "0000:0000:0000:0000:0000:0000:0000:0000\n")
        try Files.write(folder("sys/devices/virtual/infiniband/rxe0/ports/1/gids/2"), "0000:0000:0000:0000:0000:0000:0000:0000\n")
        try Files.write(
            folder("sys/devices/pci0000:20/0000:20:00.0/0000:21:00.0/mlx5_core.sf.2/infiniband/mlx5_4/ports/1/gids/2"),
            "0000:0000:0000:0000:0000:0000:0000:0000\n")
        let snapshot = try Discovery(root: .captured(at: folder.path)).snapshot()
        #expect(try differences(snapshot.machine, machine) == [])
        #expect(snapshot.remarks == [])
    }

    @Test
    func `devices stay apart and know each other`() throws {
        let machine = try Zoo.machine()
        let devices = Dictionary(machine.devices.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        let physical = try #require(devices["0000:21:00.0"])
        #expect(physical.netdevs.map(\.name) == ["ens1f0np0"])
        #expect(physical.rdmaDevices.map(\.name) == ["mlx5_0"])
        let sub = try #require(devices["0000:21:00.0/sf88"])
        #expect(sub.netdevs.map(\.name) == ["ens1f0s88"])
        #expect(sub.rdmaDevices.map(\.name) == ["mlx5_4"])
        #expect(machine.virtualFunctions(of: try Zoo.address("0000:21:00.0")).map(\.virtualFunctionIndex) == [0, 1])
        let given = try #require(devices["0000:21:00.2"])
        #expect(given.charDevices.map(\.path) == ["/dev/vfio/41"])
        #expect(given.sharedCharDevices.map(\.path) == ["/dev/vfio/vfio"])
        #expect(devices["0000:22:00.0"]?.netdevs.map(\.name) == ["ib0", "ib1"])
        #expect(devices["0000:23:00.0"]?.rdmaDevices.map(\.name) == ["erdma_0", "erdma_1"])
        #expect(devices["0000:24:00.0"]?.sharedCharDevices == [])
        #expect(devices["veth7"]?.rdmaDevices.map(\.name) == ["rxe0"])
        #expect(devices["veth7"]?.sharedCharDevices.map(\.path) == ["/dev/infiniband/rdma_cm"])
        #expect(
            devices["0000:25:00.0"]?.sharedCharDevices.map(\.path) == [
                "/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidiactl",
            ])
        #expect(devices["0000:26:00.0"]?.sharedCharDevices.map(\.path) == ["/dev/kfd"])
        let function = try #require(physical.function)
        let narrowest = machine.narrowestLink(of: function)
        #expect(narrowest == PCILink(gigatransfers: 16, lanes: 16))
    }

    @Test(
        arguments: [
            ("p0", nil), ("pf0", nil), ("pf0vf1", .virtualFunction(1)), ("c2pf1vf12", .virtualFunction(12)),
            ("pf0sf88", .subFunction(88)), ("pf0sf", nil), ("pfvf1", nil), ("pf0vf1x", nil), ("", nil), ("c1", nil),
        ] as [(String, Netdev.Represented?)])
    func `a port's name tells whom it represents`(name: String, represented: Netdev.Represented?) {
        var netdev = Netdev(name: "x")
        netdev.portName = name
        #expect(netdev.represented == represented)
    }

    @Test
    func `one Neuron device is certain, several without a link are nobody's`() throws {
        var machine = try Zoo.machine()
        machine.functions = machine.functions.filter { $0.device == "7364" }
        func found(_ machine: Machine) throws -> Snapshot {
            let folder = try ScratchFolder()
            try TreeWriter.write(machine, to: folder.path)
            for number in 0...1 { try Files.remove(folder("sys/devices/virtual/neuron_device/neuron\(number)/device")) }
            return try Discovery(root: .captured(at: folder.path)).snapshot()
        }
        let both = try found(machine)
        #expect(both.machine.functions.allSatisfy { $0.charDevices.isEmpty && $0.accelerator == nil })
        #expect(both.remarks.count == 1)
        machine.functions.removeLast()
        machine.functions[0].accelerator?.neighbours = []
        let one = try found(machine)
        #expect(one.machine.functions == machine.functions)
    }

    @Test
    func `a masked machine tells nothing of which one it is`() throws {
        let machine = try Zoo.machine()
        let masked = machine.masked()
        let text = String(decoding: try MachineDescription(machine: masked).json(), as: UTF8.self)
        for secret in ["0c:42:a1", "0c42a1", "0c42:a103", "0002:c903", "GPU-6b2c", "rail 0", "9173642912345", "00000041-0101", "0a00:0001"]
        {
            #expect(!text.contains(secret), "\(secret)")
        }
        #expect(masked.functions.map(\.address) == machine.functions.map(\.address))
        #expect(PairsDocument(MachineTopology(masked)) == PairsDocument(MachineTopology(machine)))
        // The two ports of one switch stay of one switch.
        #expect(Set(masked.functions[1].netdevs.map(\.switchID)).count == 1)
        #expect(masked.allNetdevs.map(\.mac).compactMap { $0 }.allSatisfy { $0.count == 17 || $0.count == 59 })
    }
}
