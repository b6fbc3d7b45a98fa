// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import Inspection
import Linux
import Testbed
import Testing
import Topology

/// Existing machines: each is described in a file next to these tests, laid out as a tree, and must be discovered as
/// described.
struct KnownMachineTests {
    struct Expected: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var functions: Int
        var accelerators: Int
        var nics: Int
        /// RDMA devices, and functions whose NUMA node is known.
        var rdma: Int
        var numa: Int

        init(_ name: String, functions: Int, accelerators: Int, nics: Int, rdma: Int, numa: Int) {
            testDescription = name
            self.functions = functions
            self.accelerators = accelerators
            self.nics = nics
            self.rdma = rdma
            self.numa = numa
        }
    }

    /// Counted in the sources of the descriptions, by their own names of devices. If a source lacks RDMA devices for a NIC
    /// that is known to have them, the description has them.
    static let expectations = [
        Expected("aws-c5n.18xl", functions: 3, accelerators: 0, nics: 2, rdma: 1, numa: 0),
        Expected("aws-g5", functions: 13, accelerators: 8, nics: 2, rdma: 1, numa: 0),
        Expected("aws-g6", functions: 19, accelerators: 8, nics: 2, rdma: 1, numa: 19),
        Expected("aws-p3dn", functions: 13, accelerators: 8, nics: 2, rdma: 1, numa: 0),
        Expected("aws-p4d", functions: 25, accelerators: 8, nics: 8, rdma: 4, numa: 24),
        Expected("aws-p5", functions: 81, accelerators: 8, nics: 64, rdma: 32, numa: 81),
        Expected("aws-p5en", functions: 24, accelerators: 8, nics: 16, rdma: 16, numa: 24),
        Expected("aws-p6e-gb200", functions: 20, accelerators: 4, nics: 16, rdma: 16, numa: 20),
        Expected("aws-p6-b200", functions: 35, accelerators: 8, nics: 18, rdma: 8, numa: 35),
        Expected("aws-trn1-2xl", functions: 4, accelerators: 1, nics: 1, rdma: 0, numa: 4),
        Expected("aws-trn1", functions: 37, accelerators: 16, nics: 16, rdma: 8, numa: 36),
        Expected("aws-trn2-3xl", functions: 4, accelerators: 1, nics: 1, rdma: 0, numa: 4),
        Expected("aws-trn2-no-efa", functions: 22, accelerators: 16, nics: 1, rdma: 0, numa: 22),
        Expected("aws-trn2", functions: 53, accelerators: 16, nics: 32, rdma: 16, numa: 53),
        Expected("azure-nd-gb300", functions: 8, accelerators: 4, nics: 4, rdma: 4, numa: 4),
        Expected("azure-nd-mi300x-nics", functions: 8, accelerators: 0, nics: 8, rdma: 8, numa: 8),
        Expected("capture-domain-32-bits", functions: 9, accelerators: 0, nics: 1, rdma: 0, numa: 0),
        Expected("capture-2-sockets-mlx4-mic", functions: 137, accelerators: 0, nics: 6, rdma: 1, numa: 44),
        Expected("capture-4-nodes-qib", functions: 37, accelerators: 0, nics: 5, rdma: 1, numa: 1),
        Expected("dell-xe9680-mi300x", functions: 12, accelerators: 8, nics: 4, rdma: 4, numa: 12),
        Expected("oci-bm-gpu-gb200", functions: 12, accelerators: 4, nics: 8, rdma: 8, numa: 12),
        Expected("intel-2n-mlx4-mic", functions: 4, accelerators: 0, nics: 3, rdma: 1, numa: 4),
        Expected("intel-2n-pci", functions: 7, accelerators: 3, nics: 3, rdma: 1, numa: 7),
        Expected("intel-2n-wholeio", functions: 7, accelerators: 3, nics: 3, rdma: 1, numa: 7),
        Expected("intel-many-vfs", functions: 18, accelerators: 0, nics: 18, rdma: 3, numa: 18),
        Expected("intel-numa-minus1-qib", functions: 4, accelerators: 0, nics: 4, rdma: 0, numa: 0),
        Expected("nccl-aws-g5.48xl", functions: 9, accelerators: 8, nics: 1, rdma: 0, numa: 9),
        Expected("nccl-aws-p4d-24xl", functions: 12, accelerators: 8, nics: 4, rdma: 0, numa: 12),
        Expected("nccl-aws-p4de-24xl", functions: 12, accelerators: 8, nics: 4, rdma: 0, numa: 12),
        Expected("nccl-aws-p5.48xl", functions: 32, accelerators: 0, nics: 32, rdma: 0, numa: 32),
        Expected("azure-nc-a100-v4", functions: 4, accelerators: 4, nics: 0, rdma: 0, numa: 4),
        Expected("azure-nd-v2", functions: 9, accelerators: 8, nics: 1, rdma: 1, numa: 9),
        Expected("nccl-azure-ndv4", functions: 16, accelerators: 8, nics: 8, rdma: 0, numa: 16),
        Expected("gcp-a3-highgpu-8g", functions: 13, accelerators: 8, nics: 5, rdma: 0, numa: 13),
        Expected("oci-bm-gpu-h100", functions: 16, accelerators: 8, nics: 8, rdma: 16, numa: 16),
        Expected("oci-bm-gpu-b4", functions: 16, accelerators: 8, nics: 8, rdma: 8, numa: 16),
        Expected("oci-bm-gpu4", functions: 16, accelerators: 8, nics: 8, rdma: 8, numa: 16),
        Expected("nccl-rccl-topo_4p_940", functions: 8, accelerators: 4, nics: 4, rdma: 0, numa: 8),
        Expected("mi300a", functions: 8, accelerators: 4, nics: 4, rdma: 0, numa: 8),
        Expected("mi250x", functions: 9, accelerators: 8, nics: 1, rdma: 1, numa: 9),
        Expected("nccl-rccl-topo_8p_90a_1", functions: 8, accelerators: 8, nics: 0, rdma: 0, numa: 8),
        Expected("nccl-rccl-topo_8p_940vm", functions: 16, accelerators: 8, nics: 8, rdma: 8, numa: 16),
        Expected("azure-nd-mi300x", functions: 16, accelerators: 8, nics: 8, rdma: 8, numa: 16),
        Expected("mi355x", functions: 16, accelerators: 8, nics: 8, rdma: 8, numa: 16),
        Expected("nccl-rccl-topo_8p_rome_vm1", functions: 8, accelerators: 8, nics: 0, rdma: 0, numa: 8),
        Expected("nvidia-dgx-spark-gb10", functions: 0, accelerators: 0, nics: 0, rdma: 0, numa: 0),
        Expected("dgx-2", functions: 27, accelerators: 16, nics: 0, rdma: 0, numa: 27),
        Expected("power8", functions: 4, accelerators: 4, nics: 0, rdma: 0, numa: 4),
    ]

    static func machine(_ name: String) throws -> Machine {
        if let embedded = try MachineDescription.embedded(name) { return embedded.machine }
        return try MachineDescription(json: try Files.read("\(Place.project)/Tests/Machines/\(name).json")).machine
    }

    @Test(arguments: expectations)
    func `a captured machine is discovered as described, function by function`(_ expected: Expected) throws {
        let machine = try Self.machine(expected.testDescription)
        let folder = try ScratchFolder()
        try TreeWriter.write(machine, to: folder.path)
        let snapshot = try Discovery(root: .captured(at: folder.path)).snapshot()
        #expect(try differences(snapshot.machine, machine) == [])
        #expect(snapshot.warnings == [])
        let devices = snapshot.machine.devices
        #expect(snapshot.machine.functions.count == expected.functions)
        #expect(devices.count { $0.kind == .accelerator } == expected.accelerators)
        #expect(devices.count { $0.kind == .nic } == expected.nics)
        #expect(devices.flatMap(\.rdmaDevices).count == expected.rdma)
        #expect(snapshot.machine.functions.count { $0.numaNode != nil } == expected.numa)
    }

    @Test
    func `every captured machine has an expectation`() {
        let files = Files.list("\(Place.project)/Tests/Machines").map { String($0.dropLast(5)) }
        #expect(!files.isEmpty && Set(files).isSubset(of: Self.expectations.map(\.testDescription)))
    }

    @Test(arguments: expectations)
    func `a masked machine has the same pairs`(_ expected: Expected) throws {
        let machine = try Self.machine(expected.testDescription)
        let masked = machine.masked()
        #expect(PairsDocument(MachineTopology(masked)) == PairsDocument(MachineTopology(machine)))
        #expect(try MachineDescription(json: try MachineDescription(machine: masked).json()).machine == masked)
        #expect(masked.masked() == masked)
    }
}
