// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import NetworkModel
import Inspection
import Linux
import Testbed
import Testing
import Topology

struct IdentityTests {
    @Test
    func `every kind of device is discovered correctly`() throws {
        let machine = try Zoo.machine()
        let folder = try ScratchFolder()
        try TreeWriter.write(machine, to: folder.path)
        // An empty entry between two entries of a GID table.
        let gids = "sys/class/infiniband/mlx5_0/ports/1/gids/2"
        try Files.write(folder(gids), "0000:0000:0000:0000:0000:0000:0000:0000\n")
        try Files.write(folder("sys/devices/virtual/infiniband/rxe0/ports/1/gids/2"), "0000:0000:0000:0000:0000:0000:0000:0000\n")
        try Files.write(
            folder("sys/devices/pci0000:20/0000:20:00.0/0000:21:00.0/mlx5_core.sf.2/infiniband/mlx5_4/ports/1/gids/2"),
            "0000:0000:0000:0000:0000:0000:0000:0000\n")
        let snapshot = try Discovery(root: .captured(at: folder.path)).snapshot()
        #expect(try differences(snapshot.machine, machine) == [])
        #expect(snapshot.warnings == [])
    }

    @Test
    func `devices are distinct and refer to each other`() throws {
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
    func `a port's name identifies the represented function`(name: String, represented: Netdev.Represented?) {
        var netdev = Netdev(name: "x")
        netdev.portName = name
        #expect(netdev.represented == represented)
    }

    @Test
    func `one Neuron device is identified, several devices without a link are not`() throws {
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
        #expect(both.warnings.count == 1)
        machine.functions.removeLast()
        machine.functions[0].accelerator?.neighbours = []
        let one = try found(machine)
        #expect(one.machine.functions == machine.functions)
    }

    @Test
    func `a masked machine has no identifying values`() throws {
        let machine = try Zoo.machine()
        let masked = machine.masked()
        let text = String(decoding: try MachineDescription(machine: masked).json(), as: UTF8.self)
        for secret in ["0c:42:a1", "0c42a1", "0c42:a103", "0002:c903", "GPU-6b2c", "rail 0", "9173642912345", "00000041-0101", "0a00:0001"]
        {
            #expect(!text.contains(secret), "\(secret)")
        }
        #expect(masked.functions.map(\.address) == machine.functions.map(\.address))
        #expect(PairsDocument(MachineTopology(masked)) == PairsDocument(MachineTopology(machine)))
        // The two ports of a switch keep a common switch.
        #expect(Set(masked.functions[1].netdevs.map(\.switchID)).count == 1)
        #expect(masked.allNetdevs.map(\.mac).compactMap { $0 }.allSatisfy { [6, 20].contains($0.bytes.count) })
    }
}
