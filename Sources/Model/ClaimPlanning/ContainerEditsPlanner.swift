// SPDX-License-Identifier: Apache-2.0

import CDI
import ClaimConfig
import Hardware
import JournalModel
import ResourceAPI
import Topology

/// Plans the changes to a claim's containers as data, from which `nearside-nri` builds the CDI specification. Pure.
struct ContainerEditsPlanner {
    let input: PlannerInput
    let claim: ClaimIdentity
    let members: [ClaimPlanner.Member]
    /// The pod's name for the claim, if the claim was created from a template.
    let podClaimName: String?

    /// The plan's part for containers.
    var containers: ContainerPlan {
        ContainerPlan(
            environment: environment, hasTopology: ncclTopology != nil,
            describedRequests: input.options.tellsDevices ? Set(members.map(\.result.baseRequest)).sorted() : [],
            podClaimName: podClaimName)
    }

    /// The device nodes for containers, with the address of the device on the host.
    func access(_ member: ClaimPlanner.Member) -> DeviceAccess {
        let device = member.device
        // The vendor's own specification has the nodes, and libraries too.
        let nodes = input.facts.vendorNames[member.result.device] != nil ? [] : device.charDevices + device.sharedCharDevices
        return DeviceAccess(
            address: device.address,
            nodes: nodes.filter { !$0.isManagement || member.config.rdma.management == true }
                .map { NodePlan(path: $0.path, major: $0.major, minor: $0.minor) })
    }

    /// CDI names of a device for the kubelet: this driver's, and the vendor's if there is one.
    func names(of plan: DevicePlan) -> [String] {
        ["\(DeviceNames.kind(driver: input.driver))=\(DeviceNames.name(plan, claim: claim.uid))"]
            + (input.facts.vendorNames[plan.device].map { [$0] } ?? [])
    }

    // MARK: Workloads

    /// NICs whose configuration requests their description for the workload, sorted by rail.
    private func told(_ isWanted: (WorkloadConfig) -> Bool) -> [Device] {
        let devices = members.filter { isWanted($0.config.workload) }.map(\.device)
        func rail(_ device: Device) -> Int { input.topology?.pair(of: device).map(\.rail) ?? .max }
        return devices.enumerated().sorted { (rail($0.element), $0.offset) < (rail($1.element), $1.offset) }.map(\.element)
    }

    /// Variables that limit NCCL, UCX and libfabric to these devices.
    private var environment: [String: String] {
        let devices = told { $0.environment == true }.filter { $0.kind == .nic }
        // EFA has its own provider (libfabric, fi_efa(7)).
        let fabric = devices.filter { $0.function?.driver == "efa" }.flatMap(\.rdmaDevices)
        let verbs = devices.filter { $0.function?.driver != "efa" }.flatMap(\.rdmaDevices)
        var environment: [String: String] = [:]
        if !verbs.isEmpty {
            let ports = verbs.flatMap { device in
                device.ports.isEmpty ? ["\(device.name):1"] : device.ports.map { "\(device.name):\($0.number)" }
            }.joined(separator: ",")
            // The equals sign prevents mlx5_1 from matching mlx5_10 (NCCL user guide, NCCL_IB_HCA).
            environment["NCCL_IB_HCA"] = "=\(ports)"
            environment["UCX_NET_DEVICES"] = ports
        }
        if !fabric.isEmpty {
            environment["FI_PROVIDER"] = "efa"
            environment["FI_EFA_IFACE"] = fabric.map(\.name).joined(separator: ",")
        }
        return environment
    }

    /// The claim's devices as a topology file for NCCL. It includes the accelerators of another driver near the claim's NICs: containers
    /// have them through another claim, and NCCL ignores absent ones.
    var ncclTopology: String? {
        let devices = told { $0.ncclTopology == true }
        guard !devices.isEmpty, let topology = input.topology else { return nil }
        let own = Set(input.devices.values.map(\.address))
        let others = devices.compactMap(topology.pair(of:)).flatMap(\.accelerators).filter { !own.contains($0.address) }
        return NCCLTopology(topology, members: Set((devices + others).map(\.address))).text
    }
}

extension CharDevice {
    /// True for the nodes of RDMA management (umad, issm), whose users can disturb a fabric.
    fileprivate var isManagement: Bool { path.hasPrefix("/dev/infiniband/umad") || path.hasPrefix("/dev/infiniband/issm") }
}
