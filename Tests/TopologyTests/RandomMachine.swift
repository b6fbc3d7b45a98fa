// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import Topology

/// Synthetic machines for tests.
enum RandomMachine {
    static func gpu(_ bus: UInt8, _ path: [String], _ node: Int?) -> PCIFunction {
        PCIFunction(
            address: PCIAddress(domain: 0, bus: bus, device: 0, function: 0), vendor: "10de", device: "2330",
            classCode: "030200", path: path, numaNode: node)
    }

    static func nic(_ bus: UInt8, _ path: [String], _ node: Int?) -> PCIFunction {
        PCIFunction(
            address: PCIAddress(domain: 0, bus: bus, device: 0, function: 0), vendor: "15b3", device: "1021",
            classCode: "020700", path: path, numaNode: node)
    }

    static func flat(accelerators: Int, nics: Int) -> Machine {
        Machine(
            functions: (0..<accelerators).map { gpu(UInt8($0), ["pci0000:00"], nil) }
                + (0..<nics).map { nic(UInt8(100 + $0), ["pci0000:00"], nil) })
    }

    static let sockets = [NUMANode(id: 0, distances: [10, 21]), NUMANode(id: 1, distances: [21, 10])]

    /// Two NUMA nodes and no further hierarchy, as below a hypervisor.
    static func nodes(accelerators: [Int], nics: [Int]) -> Machine {
        func path(_ bus: Int) -> [String] { ["VMBUS:00", "guid-\(bus)", "pci00\(bus):00"] }
        return Machine(
            numaNodes: (0..<4).map { node in NUMANode(id: node, distances: (0..<4).map { $0 == node ? 10 : 21 }) },
            functions: accelerators.enumerated().map { gpu(UInt8(16 + $0), path(16 + $0), $1) }
                + nics.enumerated().map { nic(UInt8(128 + $0), path(128 + $0), $1) })
    }

    /// At random places of two sockets with two roots and two switches each; links of different width.
    static func tree(_ random: inout SplitMix, accelerators: ClosedRange<Int> = 1...5, nics: ClosedRange<Int> = 1...6) -> Machine {
        var machine = Machine(numaNodes: sockets)
        let counts = (Int.random(in: accelerators, using: &random), Int.random(in: nics, using: &random))
        for index in 0..<(counts.0 + counts.1) {
            let socket = Int.random(in: 0...1, using: &random)
            let root = "pci0000:\(socket)\(Int.random(in: 0...1, using: &random))"
            let bus = root.suffix(2)
            var path = [root]
            if Bool.random(using: &random) {
                path += ["0000:\(bus):0\(Int.random(in: 1...2, using: &random)).0", "0000:\(bus):1\(index % 10).0"]
            }
            let node = Int.random(in: 0...9, using: &random) == 0 ? nil : socket
            var function = index < counts.0 ? gpu(UInt8(16 + index), path, node) : nic(UInt8(128 + index), path, node)
            if Bool.random(using: &random) {
                function.link = PCILink(gigatransfers: 16, lanes: Bool.random(using: &random) ? 8 : 16)
            }
            machine.functions.append(function)
        }
        machine.functions.sort { $0.address < $1.address }
        return machine
    }
}

extension Machine {
    /// The machine without one function.
    func without(_ address: PCIAddress) -> Machine {
        var machine = self
        machine.functions.removeAll { $0.address == address }
        return machine
    }
}

extension MachineTopology {
    /// The NICs of each accelerator, by address.
    var partners: [String: Set<String>] {
        var partners: [String: Set<String>] = [:]
        for pair in pairing.pairs {
            for accelerator in pair.accelerators { partners[accelerator.address] = Set(pair.nics.map(\.address)) }
        }
        return partners
    }

    /// The distances of its pairs.
    var distancesOfPairs: [Distance] { pairing.pairs.flatMap(\.links).map(\.path.distance) }
}
