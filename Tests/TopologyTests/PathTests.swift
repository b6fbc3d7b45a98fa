// SPDX-License-Identifier: Apache-2.0

import Hardware
import Testing
import Topology

struct PathTests {
    private func function(_ bus: UInt8, _ path: [String], node: Int?) -> PCIFunction {
        PCIFunction(
            address: PCIAddress(domain: 0, bus: bus, device: 0, function: 0), vendor: "10de", device: "2330",
            classCode: "030200", path: path, numaNode: node)
    }

    private static let port = ["pci0000:44", "0000:44:00.0", "0000:45:00.0"]

    @Test(arguments: [
        // Two ports of one switch.
        (port + ["0000:46:00.0"], port + ["0000:46:01.0"], PathClass.pix),
        // One is behind a second switch.
        (port + ["0000:46:00.0"], port + ["0000:46:01.0", "0000:50:00.0", "0000:51:00.0"], .pxb),
        // Two functions of one slot.
        (["pci0000:44", "0000:44:00.0"], ["pci0000:44", "0000:44:00.0"], .pix),
        // A switch whose host bridge the description lacks.
        (["ffff:ff:01.0"], ["ffff:ff:01.0"], .pix),
        // Two root ports of one host bridge.
        (["pci0000:44", "0000:44:00.0"], ["pci0000:44", "0000:44:01.0"], .phb),
        // Directly on the root bus, as hypervisors show them.
        (["pci0000:10"], ["pci0000:10"], .phb),
        (["pci0000:10"], ["pci0000:20"], .node),
        // Below a hypervisor's bus every function has its own host bridge.
        (["VMBUS:00", "a", "pci0001:00"], ["VMBUS:00", "b", "pci0101:00"], .node),
        ([], [], .node),
    ])
    func `the class of a path follows the bridges`(left: [String], right: [String], expected: PathClass) {
        let functions = [function(1, left, node: 0), function(2, right, node: 0)]
        let distances = Distances(Machine(functions: functions))
        #expect(distances.path(functions[0].address, functions[1].address).pathClass == expected)
        #expect(distances.path(functions[1].address, functions[0].address) == distances.path(functions[0].address, functions[1].address))
    }

    @Test
    func `across host bridges the NUMA nodes decide, and an unknown node leaves the class open`() {
        func path(_ left: Int?, _ right: Int?) -> Path {
            let functions = [function(1, ["pci0000:10"], node: left), function(2, ["pci0000:20"], node: right)]
            let nodes = [NUMANode(id: 0, distances: [10, 21]), NUMANode(id: 1, distances: [21, 10])]
            return Distances(Machine(numaNodes: nodes, functions: functions)).path(functions[0].address, functions[1].address)
        }
        #expect(path(0, 1).pathClass == .sys)
        #expect(path(0, 1).numaDistance == 21)
        #expect(path(1, 1).numaDistance == 10)
        #expect(path(nil, 1).pathClass == .unknown)
        #expect(path(0, 0).distance < path(0, 1).distance)
        #expect(path(0, 1).distance < path(nil, 1).distance)
    }

    @Test(arguments: [(2.5, 1, 2.0), (8, 16, 126.03), (32, 16, 504.12), (64, 16, 1024)])
    func `the rate of a link excludes the line code`(gigatransfers: Double, lanes: Int, gigabits: Double) {
        #expect(abs(PCILink(gigatransfers: gigatransfers, lanes: lanes).gigabitsPerSecond - gigabits) < 0.01)
    }
}
