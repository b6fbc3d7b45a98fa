// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Testing
import Topology

/// The parts of a distance besides the path class (``PathTests``).
struct DistanceTests {
    /// A switch with three ports, a device behind each: 10 and 20 are GPUs, 30 a NIC.
    private func board(_ change: (inout [PCIFunction]) -> Void = { _ in }) -> Distances {
        func bridge(_ bus: UInt8, _ device: UInt8, _ path: [String]) -> PCIFunction {
            PCIFunction(
                address: PCIAddress(domain: 0, bus: bus, device: device, function: 0), vendor: "1000", device: "c030", classCode: "060400",
                path: path, link: PCILink(gigatransfers: 32, lanes: 16))
        }
        let upstream = ["pci0000:00", "0000:00:01.0", "0000:01:00.0"]
        var functions = [
            bridge(0, 1, ["pci0000:00"]), bridge(1, 0, ["pci0000:00", "0000:00:01.0"]), bridge(2, 0, upstream), bridge(2, 1, upstream),
            bridge(2, 2, upstream), RandomMachine.gpu(0x10, upstream + ["0000:02:00.0"], 0),
            RandomMachine.gpu(0x20, upstream + ["0000:02:01.0"], 0),
            RandomMachine.nic(0x30, upstream + ["0000:02:02.0"], 0),
        ]
        for index in functions.indices { functions[index].link = PCILink(gigatransfers: 32, lanes: 16) }
        change(&functions)
        return Distances(Machine(functions: functions))
    }

    private func address(_ text: String) throws -> PCIAddress { try #require(PCIAddress(parsing: text)) }

    @Test
    func `the narrowest link of the path counts, including the links of switch ports`() throws {
        let (gpu, nic) = (try address("0000:10:00.0"), try address("0000:30:00.0"))
        #expect(board().path(gpu, nic).pcieGbps.map { Int($0) } == 504)
        let narrow = board { functions in functions[4].link = PCILink(gigatransfers: 8, lanes: 4) }
        #expect(narrow.path(gpu, nic).pcieGbps.map { Int($0) } == 31)
        #expect(board().path(gpu, nic).distance < narrow.path(gpu, nic).distance)
        // A link above the common switch is not part of the path.
        let above = board { functions in functions[1].link = PCILink(gigatransfers: 2.5, lanes: 1) }
        #expect(above.path(gpu, nic) == board().path(gpu, nic))
    }

    @Test(arguments: [(2, true), (4, true), (3, false), (0, false)])
    func `redirection at a port of either device counts as leaving the switch`(bridge: Int, isRedirected: Bool) throws {
        let distances = board { functions in functions[bridge].acs = [.sourceValidation, .requestRedirect, .completionRedirect] }
        let path = distances.path(try address("0000:10:00.0"), try address("0000:30:00.0"))
        #expect(path.isRedirected == isRedirected)
        #expect(path.pathClass == (isRedirected ? .phb : .pix))
    }

    @Test
    func `access control without redirection has no effect`() throws {
        let distances = board { functions in functions[2].acs = [.sourceValidation, .upstreamForwarding] }
        #expect(distances.path(try address("0000:10:00.0"), try address("0000:30:00.0")).pathClass == .pix)
    }

    @Test
    func `distances are symmetric`() {
        var random = SplitMix(seed: 5)
        for _ in 0..<50 {
            let machine = RandomMachine.tree(&random)
            let distances = Distances(machine)
            for left in machine.devices {
                for right in machine.devices { #expect(distances.path(left, right) == distances.path(right, left)) }
            }
        }
    }

    @Test
    func `the path class precedes the NUMA distance, which precedes the link`() {
        let near = Distance(pathClass: .pix, numa: 32, narrowness: 4000)
        let middle = Distance(pathClass: .phb, numa: 10, narrowness: 4000)
        let far = Distance(pathClass: .phb, numa: 21, narrowness: 0)
        #expect([far, near, middle].sorted() == [near, middle, far])
    }

    @Test
    func `a slow NIC of the fabric's kind is chosen last`() throws {
        var machine = RandomMachine.flat(accelerators: 1, nics: 2)
        for (index, rate) in [(1, 100.0), (2, 400.0)] {
            machine.functions[index].rdmaDevices = [
                RDMADevice(name: "mlx5_\(index)", ports: [RDMAPort(number: 1, state: "ACTIVE", linkLayer: "InfiniBand", rate: rate)])
            ]
        }
        // A third NIC, so that each share is one.
        machine.functions.append(RandomMachine.gpu(200, ["pci0000:00"], nil))
        machine.functions.remove(at: 3)
        let pair = try #require(MachineTopology(machine).pairing.pairs.first)
        #expect(pair.nics.contains { $0.rdmaDevices.first?.name == "mlx5_2" })
    }
}
