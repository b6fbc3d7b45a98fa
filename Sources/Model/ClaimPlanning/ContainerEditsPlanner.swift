// SPDX-License-Identifier: Apache-2.0

import CDI
import ClaimConfig
import Hardware
import JournalModel
import ResourceAPI
import Topology

/// Plans what containers get for a claim: data, of which `nearside-nri` makes the CDI specification. Pure.
struct ContainerEditsPlanner {
    let input: PlannerInput
    let claim: ClaimIdentity
    let members: [ClaimPlanner.Member]
    /// The pod's name of the claim, if it was made from a template.
    let podClaimName: String?

    /// The claim's part of the plan, when something is given to containers.
    var containers: ContainerPlan {
        ContainerPlan(
            environment: environment, hasTopology: ncclTopology != nil,
            describedRequests: input.options.tellsDevices ? Set(members.map(\.result.baseRequest)).sorted() : [],
            podClaimName: podClaimName)
    }

    /// The device nodes that containers get, with the address of the device on the host.
    func access(_ member: ClaimPlanner.Member) -> DeviceAccess {
        let device = member.device
        // The vendor's own specification has its nodes, and libraries besides.
        let nodes = input.facts.vendorNames[member.result.device] != nil ? [] : device.charDevices + device.sharedCharDevices
        return DeviceAccess(
            address: device.address,
            nodes: nodes.filter { !$0.isManagement || member.config.rdma.management == true }
                .map { NodePlan(path: $0.path, major: $0.major, minor: $0.minor) })
    }

    /// Names by which the kubelet has the runtime give a device to containers: ours, and the vendor's where there is one.
    func names(of plan: DevicePlan) -> [String] {
        ["\(DeviceNames.kind(driver: input.driver))=\(DeviceNames.name(plan, claim: claim.uid))"]
            + (input.facts.vendorNames[plan.device].map { [$0] } ?? [])
    }

    // MARK: Workloads

    /// NICs whose configuration asks that the workload gets them described, ordered by rail.
    private func told(_ isWanted: (WorkloadConfig) -> Bool) -> [Device] {
        let devices = members.filter { isWanted($0.config.workload) }.map(\.device)
        func rail(_ device: Device) -> Int { input.topology?.pair(of: device).map(\.rail) ?? .max }
        return devices.enumerated().sorted { (rail($0.element), $0.offset) < (rail($1.element), $1.offset) }.map(\.element)
    }

    /// Variables by which NCCL, UCX and libfabric use these devices and no others.
    private var environment: [String: String] {
        let devices = told { $0.environment == true }.filter { $0.kind == .nic }
        // EFA has a provider of its own (libfabric, fi_efa(7)).
        let fabric = devices.filter { $0.function?.driver == "efa" }.flatMap(\.rdmaDevices)
        let verbs = devices.filter { $0.function?.driver != "efa" }.flatMap(\.rdmaDevices)
        var environment: [String: String] = [:]
        if !verbs.isEmpty {
            let ports = verbs.flatMap { device in
                device.ports.isEmpty ? ["\(device.name):1"] : device.ports.map { "\(device.name):\($0.number)" }
            }.joined(separator: ",")
            // The sign keeps mlx5_1 from meaning mlx5_10 too (NCCL user guide, NCCL_IB_HCA).
            environment["NCCL_IB_HCA"] = "=\(ports)"
            environment["UCX_NET_DEVICES"] = ports
        }
        if !fabric.isEmpty {
            environment["FI_PROVIDER"] = "efa"
            environment["FI_EFA_IFACE"] = fabric.map(\.name).joined(separator: ",")
        }
        return environment
    }

    /// The claim's devices as a topology file of NCCL. Accelerators that are another driver's to give are in it where their NICs are: the
    /// container has them by another claim, and of those it has not, NCCL takes no notice.
    var ncclTopology: String? {
        let devices = told { $0.ncclTopology == true }
        guard !devices.isEmpty, let topology = input.topology else { return nil }
        let own = Set(input.devices.values.map(\.address))
        let others = devices.compactMap(topology.pair(of:)).flatMap(\.accelerators).filter { !own.contains($0.address) }
        return NCCLTopology(topology, members: Set((devices + others).map(\.address))).text
    }
}

extension CharDevice {
    /// True for the nodes of RDMA management (umad, issm), with which one can disturb a fabric.
    fileprivate var isManagement: Bool { path.hasPrefix("/dev/infiniband/umad") || path.hasPrefix("/dev/infiniband/issm") }
}
