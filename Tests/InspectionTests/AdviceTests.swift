// SPDX-License-Identifier: Apache-2.0

import Hardware
import Inspection
import NetworkModel
import Primitives
import Testing
import Topology

/// `explain` and `doctor`.
struct AdviceTests {
    private func embedded(_ name: String) throws -> Machine { try #require(try MachineDescription.embedded(name)).machine }

    private func explain(_ devices: [String], _ machine: String) throws -> Explanation {
        try Explanation(devices: devices, of: MachineTopology(try embedded(machine)))
    }

    @Test
    func `an allocation of whole pairs is the best`() throws {
        let topology = MachineTopology(try embedded("aws-p4d"))
        for pair in topology.pairing.pairs {
            let explanation = try Explanation(devices: pair.members.map(\.address), of: topology)
            #expect(explanation.isBest && explanation.share == 1)
        }
    }

    @Test
    func `a NIC of another root is reported, with the better choice`() throws {
        let explanation = try explain(["0000:10:1c.0", "0000:20:1b.0"], "aws-p4d")
        #expect(!explanation.isBest)
        #expect(explanation.entries[0].ownNICs == ["0000:10:1b.0"])
        #expect(explanation.entries[0].path == "NODE" && explanation.entries[0].ownPath == "PHB")
        #expect(explanation.share < 0.7)
        #expect(explanation.bestAccelerators.count == 1 && explanation.bestNICs.count == 1)
        #expect(explanation.text.contains("the pair's NICs are 0000:10:1b.0"))
        #expect(explanation.text.contains("61% of the best allocation"))
    }

    @Test
    func `a claim lists devices by names in slices and by names of the vendors' drivers`() throws {
        let claim = """
            {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"name": "a", "namespace": "b"},
             "status": {"allocation": {"devices": {"results": [
               {"request": "gpu", "driver": "gpu.nvidia.com", "pool": "n", "device": "gpu-1"},
               {"request": "nic", "driver": "dra.nearside", "pool": "n", "device": "pci-0000-60-00-0"},
               {"request": "cpu", "driver": "dra.cpu", "pool": "n", "device": "cpudev0"}]}}}}
            """
        let explanation = try Explanation(claim: Array(claim.utf8), of: MachineTopology(try embedded("aws-p5")))
        #expect(explanation.entries.map(\.accelerator) == ["0000:64:00.0"])
        #expect(explanation.entries[0].nics == ["0000:60:00.0"])
        #expect(explanation.isBest)
        #expect(explanation.remarks == ["dra.cpu's device cpudev0 is not found in p5.48xlarge"])
    }

    @Test(arguments: [
        ("", InputError.Code.malformed, "claim"), ("[]", .malformed, "claim"), (#"{"metadata": {"name": "a"}}"#, .missing, "claim a"),
        (#"{"allocation": {"devices": {"results": []}}}"#, .missing, "claim"),
        (
            #"{"allocation": {"devices": {"results": [{"request": "r", "driver": "d", "pool": "p", "device": "x"}]}}}"#, .unknown,
            "claim"
        ),
        (
            #"{"allocation": {"devices": {"results": [{"request": "r", "driver": "d", "pool": "p", "device": "pci-0000-60-00-0"}]}}}"#,
            .missing, "allocation"
        ),
    ])
    func `a document that is not an allocated claim is refused`(text: String, code: InputError.Code, object: String) throws {
        let topology = MachineTopology(try embedded("aws-p5"))
        let error = #expect(throws: InputError.self) { try Explanation(claim: Array(text.utf8), of: topology) }
        #expect(error?.code == code && error?.object == object, "\(error?.description ?? "")")
    }

    @Test
    func `the best allocation is at least as good as every other one of one accelerator and one NIC`() throws {
        for name in MachineDescription.embeddedNames {
            let topology = MachineTopology(try embedded(name))
            guard !topology.pairing.pairs.isEmpty else { continue }
            let best = Allocation.best(accelerators: 1, nics: 1, of: topology).worth
            for accelerator in topology.pairing.pairs.flatMap(\.accelerators) {
                for nic in topology.fabric.nics {
                    #expect(Allocation(accelerators: [accelerator], nics: [nic], of: topology).worth <= best + 0.001, "\(name)")
                }
            }
        }
    }

    // MARK: Doctor

    private func findings(_ machine: Machine, _ host: HostFacts? = nil) -> [String] {
        Doctor(MachineTopology(machine), host: host).findings.map { "\($0.severity.rawValue) \($0.object): \($0.finding)" }
    }

    @Test
    func `a machine without faults has no findings`() throws {
        for name in ["aws-p5", "aws-p4d", "aws-p6-b200", "hgx-a100", "oci-bm-gpu-h100", "aws-trn2"] {
            let found = findings(try embedded(name))
            #expect(found == [], "\(name)")
        }
    }

    /// Introduces each fault into a machine without findings.
    @Test(arguments: [
        "the PCIe link runs at 16 GT/s x8 instead of 32 GT/s x16", "idle GPUs", "has no link",
        "the port runs at 100 Gb/s, others of its kind at 200",
        "is not active", "no carrier", "the PCIe path to", "redirects", "NUMA node unknown", "the node's own traffic uses this NIC",
        "the pairs are unequal",
    ])
    func `every fault is found, and no other`(fault: String) throws {
        var machine = try embedded("hgx-a100")
        let nic = try #require(machine.functions.firstIndex { $0.vendor == "15b3" })
        let gpu = try #require(machine.functions.firstIndex { $0.vendor == "10de" })
        let full = PCILink(gigatransfers: 32, lanes: 16)
        switch fault {
        case let text where text.hasPrefix("the PCIe link"):
            machine.functions[nic].link = PCILink(gigatransfers: 16, lanes: 8)
            machine.functions[nic].maximalLink = full
        case "idle GPUs":
            machine.functions[gpu].link = PCILink(gigatransfers: 16, lanes: 16)
            machine.functions[gpu].maximalLink = full
        case "has no link": machine.functions[nic].rdmaDevices[0].ports[0].state = "DOWN"
        case let text where text.hasPrefix("the port"): machine.functions[nic].rdmaDevices[0].ports[0].rate = 100
        case "is not active": machine.functions[nic].rdmaDevices[0].ports[0].state = "INIT"
        case "no carrier":
            machine.functions[nic].netdevs[0].hasCarrier = false
            machine.functions[nic].netdevs[0].state = "lowerlayerdown"
        case "the PCIe path to": machine.functions[nic].link = PCILink(gigatransfers: 8, lanes: 8)
        case "redirects":
            // A separate switch for one pair, whose port redirects.
            for index in [nic, gpu] {
                let port = "0000:f1:0\(index == nic ? 0 : 1).0"
                machine.functions[index].path = ["pci0000:f0", "0000:f0:00.0", port]
            }
            var bridge = PCIFunction(
                address: PCIAddress(domain: 0, bus: 0xf1, device: 0, function: 0), vendor: "1000", device: "c030", classCode: "060400",
                path: ["pci0000:f0", "0000:f0:00.0"])
            bridge.acs = [.requestRedirect]
            machine.functions.append(bridge)
        case "NUMA node unknown":
            machine.functions[nic].numaNode = nil
        case "the node's own traffic uses this NIC": machine.functions[nic].netdevs[0].hostUse = HostUse(.defaultRoute)
        default: machine.functions.remove(at: nic)
        }
        // A narrow link limits a path, and a NIC that is lost to a pair leaves the pairs unequal.
        let consequence =
            fault.hasPrefix("the PCIe link")
            ? "the PCIe path to" : ["has no link", "own traffic"].contains(where: fault.contains) ? "unequal" : nil
        let doctor = Doctor(MachineTopology(machine), host: nil)
        let texts = doctor.findings.map { $0.finding + $0.advice }
        #expect(texts.count == (consequence == nil ? 1 : 2), "\(doctor.findings)")
        for part in [fault, consequence ?? fault] { #expect(texts.contains { $0.contains(part) }, "\(doctor.findings)") }
        #expect(doctor.findings.allSatisfy { !$0.advice.isEmpty })
        #expect(doctor.text(Terminal()).contains("->"))
    }

    @Test
    func `missing settings of the host are found`() throws {
        var machine = try embedded("hgx-a100")
        for index in machine.functions.indices { machine.functions[index].iommuGroup = index }
        machine.functions[0].driver = nil
        var host = HostFacts()
        host.modules = ["mlx5_core"]
        host.lockedMemory = 8 << 20
        host.translation = Dictionary(uniqueKeysWithValues: machine.functions.indices.map { ($0, "DMA-FQ") })
        let found = findings(machine, host).joined(separator: "\n")
        for part in [
            "problem ib_uverbs", "problem rdma_ucm", "problem GPUDirect", "advice IOMMU: the IOMMU translates 16 of",
            "advice limits: a process may lock only 8192 KiB", "advice NRI", "has no driver",
        ] {
            #expect(found.contains(part), "\(part) in \(found)")
        }
        host.modules = ["ib_uverbs", "rdma_ucm", "nvidia_peermem", "mlx5_core", "mlx5_ib"]
        host.lockedMemory = nil
        host.translation = [:]
        host.hasNRISocket = true
        #expect(findings(try embedded("hgx-a100"), host) == [])
    }

    @Test
    func `a refused hint is a problem`() throws {
        let address = try #require(PCIAddress(parsing: "0000:01:00.0"))
        let policy = TopologyPolicy(hints: [.init(machine: "*", hint: Hint(source: "f.xml", groups: [[address]]))])
        let doctor = Doctor(MachineTopology(try embedded("hgx-a100"), policy: policy), host: nil)
        #expect(doctor.hasProblems)
        #expect(doctor.findings[0].finding.contains("the hint of f.xml is not used"))
    }
}
