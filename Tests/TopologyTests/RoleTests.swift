// SPDX-License-Identifier: Apache-2.0

import Hardware
import Primitives
import Testing
import Topology

/// NICs of the fabric, and the reasons for the other roles.
struct RoleTests {
    private func embedded(_ name: String) throws -> Machine { try #require(try MachineDescription.embedded(name)).machine }

    private func roles(_ topology: MachineTopology) -> [Role: [String]] {
        Dictionary(grouping: topology.machine.devices.filter { $0.kind == .nic }) { topology.role(of: $0).role }.mapValues {
            $0.map(\.address)
        }
    }

    @Test
    func `the two ConnectX of a p6-b200 manage its NVLink switches and are not paired`() throws {
        let roles = roles(MachineTopology(try embedded("aws-p6-b200")))
        #expect(roles[.management] == ["0000:73:00.0", "0000:74:00.0"])
        #expect(roles[.fabric]?.count == 8)
        #expect(roles[.uplink]?.count == 1)
    }

    /// The relevant part of a DGX H100: eight pairs below switches, and two dual-port NICs of the same kind on
    /// separate roots.
    private func dgx() throws -> Machine {
        var machine = try embedded("oci-bm-gpu-h100")
        for (bus, node) in [(UInt8(0x18), 0), (0x9a, 1)] {
            for function in UInt8(0)...1 {
                var nic = RandomMachine.nic(bus, ["pci0000:\(String(bus, radix: 16))"], node)
                nic.address.function = function
                nic.classCode = "020000"
                nic.rdmaDevices = [
                    RDMADevice(
                        name: "storage\(bus)\(function)", ports: [RDMAPort(number: 1, state: "ACTIVE", linkLayer: "Ethernet", rate: 360)])
                ]
                machine.functions.append(nic)
            }
        }
        machine.functions.sort { $0.address < $1.address }
        return machine
    }

    @Test
    func `storage NICs of the fabric's kind are not paired, because they are near no accelerator`() throws {
        let topology = MachineTopology(try dgx())
        let roles = roles(topology)
        #expect(roles[.storage] == ["0000:18:00.0", "0000:18:00.1", "0000:9a:00.0", "0000:9a:00.1"])
        #expect(
            topology.pairing.pairs.allSatisfy { $0.accelerators.count == 1 && $0.nics.count == 1 && $0.links[0].path.pathClass <= .pxb })
        let storage = try #require(topology.machine.devices.first { $0.address == "0000:18:00.0" })
        #expect(topology.role(of: storage).reason.contains("near no accelerator"))
    }

    @Test
    func `slower NICs of the same kind are a separate network if they are many, and fabric if they are few`() throws {
        func machine(slow: Int) -> Machine {
            var machine = RandomMachine.flat(accelerators: 4, nics: 8)
            for (index, position) in machine.functions.indices.filter({ machine.functions[$0].vendor == "15b3" }).enumerated() {
                machine.functions[position].rdmaDevices = [
                    RDMADevice(
                        name: "mlx5_\(index)",
                        ports: [RDMAPort(number: 1, state: "ACTIVE", linkLayer: "InfiniBand", rate: index < slow ? 100 : 400)])
                ]
            }
            return machine
        }
        #expect(Fabric(machine(slow: 4)).nics.map(\.portGbps) == [400, 400, 400, 400])
        #expect(Fabric(machine(slow: 1)).nics.count == 8)
    }

    @Test
    func `the virtual functions of a physical function are published instead of it`() {
        var machine = RandomMachine.flat(accelerators: 2, nics: 2)
        let parents = machine.functions.filter { $0.vendor == "15b3" }.map(\.address)
        for parent in parents {
            var part = RandomMachine.nic(parent.bus, ["pci0000:00"], nil)
            part.address.function = 1
            part.device = "101e"
            part.physicalFunction = parent
            machine.functions.append(part)
        }
        machine.functions.sort { $0.address < $1.address }
        let topology = MachineTopology(machine)
        #expect(topology.fabric.nics.allSatisfy { $0.function?.physicalFunction != nil })
        #expect(topology.fabric.nics.count == 2)
        let parent = machine.devices.first { $0.function?.address == parents[0] }
        #expect(parent.map { topology.role(of: $0).reason } == "its virtual functions are published instead")
    }

    @Test(arguments: [false, true])
    func `a physical function is in use by the host if one of its virtual functions is, even if a policy selects it`(isNamed: Bool) throws {
        var machine = RandomMachine.flat(accelerators: 2, nics: 2)
        let parents = machine.functions.filter { $0.vendor == "15b3" }.map(\.address)
        var part = RandomMachine.nic(parents[0].bus, ["pci0000:00"], nil)
        part.address.function = 1
        part.physicalFunction = parents[0]
        part.netdevs = [Netdev(name: "vf0", isUplink: true)]
        for index in machine.functions.indices where machine.functions[index].vendor == "15b3" {
            machine.functions[index].netdevs = [Netdev(name: "nic\(index)")]
        }
        machine.functions.append(part)
        machine.functions.sort { $0.address < $1.address }
        let policy = TopologyPolicy(roles: isNamed ? [.fabric: try parents.map { try Selector("address=\($0)") }] : [:])
        let topology = MachineTopology(machine, policy: policy)
        let device = try #require(machine.devices.first { $0.function?.address == parents[0] })
        #expect(topology.withheld(device) == "of its part \(part.address), the host's default route uses this interface")
        let other = try #require(machine.devices.first { $0.function?.address == parents[1] })
        #expect(topology.withheld(other) == nil)
    }

    @Test
    func `many virtual functions of one card do not outweigh many cards`() {
        var machine = RandomMachine.flat(accelerators: 4, nics: 5)
        // The last NIC is another model, and has sixteen virtual functions.
        let last = machine.functions.count - 1
        machine.functions[last].device = "101d"
        for index in UInt8(1)...16 {
            var part = RandomMachine.nic(200, ["pci0000:00"], nil)
            part.address.device = index
            part.device = "101e"
            part.physicalFunction = machine.functions[last].address
            machine.functions.append(part)
        }
        #expect(Set(Fabric(machine).nics.map { $0.function?.device }) == ["1021"])
    }

    @Test
    func `a port without a link takes no part, and other ports keep their pairs`() throws {
        var machine = try embedded("azure-nd-a100-v4")
        let whole = MachineTopology(machine)
        let index = try #require(machine.functions.firstIndex { $0.address.description == "0101:00:00.0" })
        machine.functions[index].rdmaDevices[0].ports[0].state = "DOWN"
        let topology = MachineTopology(machine)
        #expect(topology.fabric.down.map(\.address) == ["0101:00:00.0"])
        #expect(topology.fabric.role(of: topology.fabric.down[0]).reason == "a fabric NIC without a link")
        for (accelerator, nics) in topology.partners where accelerator != "0001:00:00.0" { #expect(whole.partners[accelerator] == nics) }
        #expect(topology.partners["0001:00:00.0"] == ["0102:00:00.0"])
        #expect(topology.pairing.pairs.map(\.rail) == [0, 1, 3, 4, 5, 6, 7])
    }

    @Test
    func `the fabric is recognised with half of its links down`() throws {
        var machine = try embedded("hgx-a100")
        for (count, index) in machine.functions.indices.filter({ machine.functions[$0].vendor == "15b3" }).enumerated() where count % 2 == 0
        {
            machine.functions[index].rdmaDevices[0].ports[0].state = "DOWN"
            machine.functions[index].rdmaDevices[0].ports[0].rate = 10
        }
        let fabric = Fabric(machine)
        #expect(fabric.nics.count == 4 && fabric.down.count == 4)
    }

    @Test
    func `without any RDMA, Google's NICs are the fabric, and other Ethernet NICs are not`() throws {
        #expect(MachineTopology(try embedded("gcp-a3-highgpu-8g")).pairing.pairs.map(\.nics.count) == [1, 1, 1, 1])
        var machine = RandomMachine.flat(accelerators: 2, nics: 2)
        for index in machine.functions.indices where machine.functions[index].vendor == "15b3" {
            machine.functions[index].classCode = "020000"
        }
        #expect(Fabric(machine).nics.isEmpty)
    }

    @Test
    func `an operator's selector has precedence`() throws {
        let machine = try embedded("aws-p6-b200")
        let policy = TopologyPolicy(roles: [.fabric: [try Selector("id=15b3:1021"), try Selector("address=0000:4?:00.0,rdma=rdmap7*")]])
        let topology = MachineTopology(machine, policy: policy)
        #expect(topology.fabric.nics.map(\.address) == ["0000:4f:00.0", "0000:73:00.0", "0000:74:00.0"])
        let other = try #require(machine.devices.first { $0.address == "0000:50:00.0" })
        #expect(topology.role(of: other) == RoleReason(role: .storage, reason: "the policy selects other NICs for the fabric"))
        let uplink = try Selector("interface=enp71s0")
        #expect(MachineTopology(machine, policy: TopologyPolicy(roles: [.fabric: [uplink]])).fabric.nics.isEmpty)
    }

    @Test(arguments: [
        ("", InputError.Code.malformed), ("id", .malformed), ("id=", .malformed), ("id=1,", .malformed), ("colour=red", .unknown),
    ])
    func `a malformed selector is refused`(text: String, code: InputError.Code) {
        let error = #expect(throws: InputError.self) { try Selector(text) }
        #expect(error?.code == code && error?.object == "selector \"\(text)\"")
    }

    @Test(arguments: [
        ("mlx5_*", "mlx5_0", true), ("*", "", true), ("m?x*0", "mlx5_0", true), ("*a*b*", "xaxxb", true), ("*a*b", "xaxxbx", false),
        ("", "a", false),
        ("?", "", false), ("**", "abc", true), ("a*a*a*a*a*a*a*a*b", String(repeating: "a", count: 4000), false),
    ])
    func `patterns match as in a shell`(pattern: String, text: String, matches: Bool) throws {
        guard !pattern.isEmpty else { return }
        var machine = RandomMachine.flat(accelerators: 0, nics: 1)
        machine.functions[0].rdmaDevices = [RDMADevice(name: text)]
        #expect(try Selector("rdma=\(pattern)").matches(machine.devices[0]) == matches)
    }
}
