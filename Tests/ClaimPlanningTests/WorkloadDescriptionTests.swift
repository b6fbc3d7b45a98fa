// SPDX-License-Identifier: Apache-2.0

import CDI
import ClaimPlanning
import FoundationEssentials
import Hardware
import JournalModel
import ResourceAPI
import Testing
import Topology

/// Descriptions of devices for workloads: files and variables.
extension ClaimPlannerTests {
    @Test
    func `a workload gets descriptions of its own devices in the order of their pairs`() throws {
        var planner = try Self.planner()
        let machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        planner.input.topology = MachineTopology(machine)
        let told = try Self.config(#"{"workload":{"environment":true,"ncclTopology":true}}"#)
        let outcome = try planner.plan(
            Self.claim([("nic", Self.secondNIC), ("nic", Self.nic), ("gpu", Self.gpu)], config: [told]), others: [])
        let edits = try #require(try Self.spec(outcome)?.containerEdits)
        #expect(
            edits.env == [
                "NCCL_IB_HCA==mlx5_0:1,mlx5_1:1", "UCX_NET_DEVICES=mlx5_0:1,mlx5_1:1", "NCCL_TOPO_FILE=/var/run/nearside/nccl-topology.xml",
            ], "\(edits.env ?? [])")
        #expect(edits.mounts?.map(\.hostPath) == ["/run/nri/workloads/u1.xml"])
        let text = try #require(outcome.ncclTopology)
        #expect(text.contains("0000:07:00.0") && text.contains("0000:0c:00.0") && !text.contains("0000:0f:00.0"), "\(text)")
        // The file includes another driver's accelerator of the NIC's pair, and no accelerators of other pairs.
        planner.input.devices[Self.gpu] = nil
        let half = try planner.plan(Self.claim([("nic", Self.nic)], config: [told]), others: [])
        let file = try #require(half.ncclTopology)
        #expect(file.contains("0000:07:00.0") && file.contains("0000:0c:00.0") && !file.contains("0000:0f:00.0"), "\(file)")
        let quiet = try planner.plan(Self.claim([("nic", Self.nic)]), others: [])
        #expect(try Self.spec(quiet)?.containerEdits?.env == nil && quiet.ncclTopology == nil)
    }

    @Test
    func `a container finds the metadata of its devices at the path of KEP-5304, once for each request`() throws {
        var planner = try Self.planner()
        planner.input.options.tellsDevices = true
        planner.input.attributes = [Self.nic: ["resource.kubernetes.io/pciBusID": .string("0000:0c:00.0")]]
        var claim = Self.claim(
            [("nic/fast", Self.nic), ("nic/fast", Self.secondNIC), ("gpu", Self.gpu)],
            config: [Self.config(.fromClaim, "net", requests: ["nic"])])
        let outcome = try planner.plan(claim, others: [])
        let spec = try #require(try Self.spec(outcome))
        let folder = "/var/run/kubernetes.io/dra-device-attributes"
        #expect(
            spec.devices.map { $0.containerEdits.mounts?.map(\.containerPath) } == [
                ["\(folder)/resourceclaims/c/nic/dra.nearside-metadata.json"], nil,
                ["\(folder)/resourceclaims/c/gpu/dra.nearside-metadata.json"],
            ])
        #expect(spec.devices[0].containerEdits.mounts?.first?.hostPath == "/run/nri/workloads/u1_nic.json")
        let told = try #require(outcome.metadata["nic"])
        #expect(told.requests.map(\.name) == ["nic/fast"])
        #expect(told.requests[0].devices.map(\.networkData?.interfaceName) == ["net0", "net1"])
        #expect(told.requests[0].devices[0].attributes?["resource.kubernetes.io/pciBusID"] == .string("0000:0c:00.0"))
        #expect(outcome.metadata["gpu"]?.requests[0].devices.map(\.networkData) == [nil])
        #expect(
            try outcome.metadata["gpu"]?.text()
                == #"{"apiVersion":"metadata.resource.k8s.io/v1alpha1","kind":"DeviceMetadata","metadata":{"generation":1,"name":"c","namespace":"ns","uid":"u1"},"requests":[{"devices":[{"driver":"dra.nearside","name":"pci-0000-07-00-0","pool":"node"}],"name":"gpu"}]}"#
                + "\n")
        // For a claim from a template, the pod's own name for the claim is used.
        claim.metadata.annotations = ["resource.kubernetes.io/pod-claim-name": "net"]
        #expect(try planner.plan(claim, others: []).metadata["nic"]?.podClaimName == nil, "only a pod's controller counts")
        claim.metadata.ownerReferences = [OwnerReference(apiVersion: "v1", kind: "Pod", name: "p1", uid: "p1", controller: true)]
        let made = try planner.plan(claim, others: [])
        #expect(
            try Self.spec(made)?.devices[0].containerEdits.mounts?.first?.containerPath
                == "\(folder)/resourceclaimtemplates/net/nic/dra.nearside-metadata.json")
        #expect(made.metadata["nic"]?.podClaimName == "net")
        claim.metadata.annotations = ["resource.kubernetes.io/pod-claim-name": "../../../../usr/local/lib"]
        #expect(
            try Self.spec(try planner.plan(claim, others: []))?.devices[0].containerEdits.mounts?.first?.containerPath
                == "\(folder)/resourceclaims/c/nic/dra.nearside-metadata.json")
        planner.input.options.tellsDevices = false
        #expect(try planner.plan(claim, others: []).metadata.isEmpty)
    }

    @Test
    func `EFA is configured for libfabric`() throws {
        let efa = "pci-0000-4f-00-0"
        let outcome = try Self.planner("aws-p5").plan(
            Self.claim([("efa", efa)], config: [try Self.config(#"{"workload":{"environment":true}}"#)]), others: [])
        let env = try Self.spec(outcome)?.containerEdits?.env ?? []
        #expect(env.last == "FI_PROVIDER=efa" && env.first?.hasPrefix("FI_EFA_IFACE=rdmap79s0") == true, "\(env)")
    }

    @Test
    func `a GPU with a vendor's specification gets the vendor's CDI name, and no nodes of this driver`() throws {
        var planner = try Self.planner()
        planner.input.facts.vendorNames = [Self.gpu: "nvidia.com/gpu=GPU-1"]
        let outcome = try planner.plan(Self.claim([("gpu", Self.gpu)]), others: [])
        #expect(outcome.plan.devices[0].cdiDeviceIDs == ["dra.nearside/claim=u1-\(Self.gpu)", "nvidia.com/gpu=GPU-1"])
        #expect(try Self.spec(outcome)?.devices[0].containerEdits.deviceNodes == nil)
    }
}
