// SPDX-License-Identifier: Apache-2.0

package import Hardware
import NetworkModel

/// A machine with every known kind of device.
package enum Zoo {
    package static func address(_ text: String) throws -> PCIAddress {
        struct NoAddress: Error { var text: String }
        guard let address = PCIAddress(parsing: text) else { throw NoAddress(text: text) }
        return address
    }

    private static func nic(_ address: String, _ device: String = "1021", driver: String? = "mlx5_core") throws -> PCIFunction {
        PCIFunction(
            address: try Self.address(address), vendor: "15b3", device: device, classCode: "020000",
            path: ["pci0000:20", "0000:20:00.0"], numaNode: 0, driver: driver)
    }

    package static func machine() throws -> Machine {
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
        var uplink = Netdev(
            name: "ens1f0np0", index: 4, mac: HardwareAddress(parsing: "0c:42:a1:00:00:01"), mtu: 9000, state: "up", speed: 400_000)
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
        sub.netdevs = [Netdev(name: "ens1f0s88", index: 8, mac: HardwareAddress(parsing: "00:00:00:00:88:88"))]
        sub.rdmaDevices = [roce("mlx5_4", netdev: "ens1f0s88", uverbs: 4)]
        physical.subFunctions = [sub]

        // Virtual functions: 1 with its driver, 0 passed through to a virtual machine.
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
            var netdev = Netdev(
                name: name, index: 20 + number,
                mac: HardwareAddress(parsing: "80:00:02:08:fe:80:00:00:00:00:00:00:00:02:c9:03:00:10:0f:0\(number)"))
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
            // Indices do not follow bus order.
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
