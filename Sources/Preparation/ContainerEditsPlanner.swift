// SPDX-License-Identifier: Apache-2.0

import CDI
import ClaimConfig
import Hardware
import InjectorSocket
import Journal
import Topology

/// What containers get for a claim: the CDI specification. Pure.
struct ContainerEditsPlanner {
    let planner: ClaimPlanner
    let claim: ClaimIdentity
    let members: [ClaimPlanner.Member]
    /// What the pod calls the claim, if it was made from a template.
    let podClaimName: String?

    /// Where a container finds what NCCL is told.
    private static let ncclPath = "/var/run/nearside/nccl-topology.xml"

    func spec(_ planned: [DevicePlan]) -> Spec? {
        guard !planned.isEmpty else { return nil }
        let gate = planner.gatePath.map { path in
            Hook(
                hookName: "createRuntime", path: path,
                args: GateHook.arguments(claim: claim.uid, socket: planner.gateSocket), timeout: GateHook.seconds)
        }
        let holdsBack = planned.contains { $0.isMoved }
        var all = ContainerEdits()
        // Once for the container, however many devices of the claim it has.
        if holdsBack, let gate { all.hooks = [gate] }
        let environment = self.environment
        if !environment.isEmpty { all.env = environment }
        if ncclTopology != nil {
            all.env = (all.env ?? []) + ["NCCL_TOPO_FILE=\(Self.ncclPath)"]
            all.mounts = [
                Mount(
                    hostPath: "\(planner.workloadFolder)/\(JournalFolder.workload(claim.uid))", containerPath: Self.ncclPath,
                    options: ["ro", "nosuid", "nodev", "bind"])
            ]
        }
        var devices = zip(planned, members).map(device)
        for (index, mount) in metadataMounts(planned) { devices[index].containerEdits.mounts = [mount] }
        return Spec(
            kind: "\(planner.driver)/claim", devices: devices, containerEdits: all == ContainerEdits() ? nil : all
        )
    }

    /// Names by which the kubelet has the runtime give a device to containers: ours, and the vendor's where there is one.
    func names(of plan: DevicePlan, in spec: Spec) -> [String] {
        ["\(spec.kind)=\(name(plan))"] + (planner.vendorNames[plan.device].map { [$0] } ?? [])
    }

    /// Two shares of one device can be in one claim.
    private func name(_ plan: DevicePlan) -> String {
        "\(claim.uid)-\(plan.device)" + (plan.shareID.map { "-\($0.prefix(8))" } ?? "")
    }

    private func device(_ plan: DevicePlan, _ member: ClaimPlanner.Member) -> SpecDevice {
        let device = member.device
        // The vendor's own specification has its nodes, and libraries besides.
        let nodes = planner.vendorNames[plan.device] != nil ? [] : device.charDevices + device.sharedCharDevices
        let given = nodes.filter { !$0.isManagement || member.wish.rdma.management == true }
        // A variable for each device tells the workload what it was given; it also keeps the
        // edits from being empty, which would make runtimes refuse the file.
        let variable = "NEARSIDE_" + plan.device.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        return SpecDevice(
            name: name(plan),
            containerEdits: ContainerEdits(
                env: ["\(variable)=\(plan.interface?.name ?? device.address)"],
                deviceNodes: given.isEmpty ? nil : given.map { DeviceNode(path: $0.path, major: $0.major, minor: $0.minor) }))
    }

    // MARK: What workloads are told

    /// NICs that the workload is to hear of, in the order of their pairs.
    private func told(_ isWanted: (WorkloadConfig) -> Bool) -> [Device] {
        let devices = members.filter { isWanted($0.wish.workload) }.map(\.device)
        func rail(_ device: Device) -> Int { planner.topology?.pair(of: device).map(\.rail) ?? .max }
        return devices.enumerated().sorted { (rail($0.element), $0.offset) < (rail($1.element), $1.offset) }.map(\.element)
    }

    /// Variables by which NCCL, UCX and libfabric use these devices and no others.
    private var environment: [String] {
        let devices = told { $0.environment == true }.filter { $0.kind == .nic }
        // EFA has a provider of its own (libfabric, fi_efa(7)).
        let fabric = devices.filter { $0.function?.driver == "efa" }.flatMap(\.rdmaDevices)
        let verbs = devices.filter { $0.function?.driver != "efa" }.flatMap(\.rdmaDevices)
        var environment: [String] = []
        if !verbs.isEmpty {
            let ports = verbs.flatMap { device in
                device.ports.isEmpty ? ["\(device.name):1"] : device.ports.map { "\(device.name):\($0.number)" }
            }
            // The sign keeps mlx5_1 from meaning mlx5_10 too (NCCL user guide, NCCL_IB_HCA).
            environment += ["NCCL_IB_HCA==\(ports.joined(separator: ","))", "UCX_NET_DEVICES=\(ports.joined(separator: ","))"]
        }
        if !fabric.isEmpty { environment += ["FI_PROVIDER=efa", "FI_EFA_IFACE=\(fabric.map(\.name).joined(separator: ","))"] }
        return environment
    }

    /// The claim's devices as a topology file of NCCL. Accelerators that are another driver's to give are in it where their NICs are: the
    /// container has them by another claim, and of those it has not, NCCL takes no notice.
    var ncclTopology: String? {
        let devices = told { $0.ncclTopology == true }
        guard !devices.isEmpty, let topology = planner.topology else { return nil }
        let own = Set(planner.devices.values.map(\.address))
        let others = devices.compactMap(topology.pair(of:)).flatMap(\.accelerators).filter { !own.contains($0.address) }
        return NCCLTopology(topology, members: Set((devices + others).map(\.address))).text
    }
}

extension CharDevice {
    /// True for the nodes of RDMA management (umad, issm), with which one can disturb a fabric.
    fileprivate var isManagement: Bool { path.hasPrefix("/dev/infiniband/umad") || path.hasPrefix("/dev/infiniband/issm") }
}
