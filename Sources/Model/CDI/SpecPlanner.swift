// SPDX-License-Identifier: Apache-2.0

package import JournalModel

/// Computes the CDI specification of a claim from its plan. Pure.
///
/// The plan is untrusted input: every text in it is checked here, and everything that acts on the host (hooks, files, the kind) comes
/// from this program's own options.
package struct SpecPlanner: Sendable {
    package var driver: String
    /// The hook of containers; nil if only NRI holds containers back.
    package var gate: GateHook?
    /// Path on the host of the folder with this program's copies of workload files.
    package var workloads: String

    package init(driver: String, gate: GateHook?, workloads: String) {
        self.driver = driver
        self.gate = gate
        self.workloads = workloads
    }

    /// Variables that a plan may set: NCCL, UCX and libfabric select devices with them.
    private static let variables: Set<String> = ["FI_EFA_IFACE", "FI_PROVIDER", "NCCL_IB_HCA", "UCX_NET_DEVICES"]

    /// The path of NCCL's topology file in containers.
    package static let topologyPath = "/var/run/nearside/nccl-topology.xml"

    private static let mostDevices = 512
    private static let mostNodes = 64

    /// Computes the specification.
    ///
    /// - Returns: nil for a plan without devices, or a plan of a release in which `nearside-node` wrote specifications.
    /// - Throws: ``SpecRefusal`` with the malformed field.
    package func spec(_ plan: ClaimPlan) throws(SpecRefusal) -> Spec? {
        guard let containers = plan.containers, !plan.devices.isEmpty else { return nil }
        try require(PlanText.isUID(plan.claim.uid), "claim.uid", plan.claim.uid, "is not a UID")
        try require(plan.devices.count <= Self.mostDevices, "devices", "\(plan.devices.count)", "is more than \(Self.mostDevices)")
        var all = ContainerEdits()
        if plan.hasInterfaces, let gate {
            all.hooks = [
                Hook(
                    hookName: "createRuntime", path: gate.path, args: gate.arguments(claim: plan.claim.uid),
                    timeout: Int(gate.timeout.components.seconds))
            ]
        }
        var variables: [String] = []
        for (name, value) in containers.environment.sorted(by: { $0.key < $1.key }) {
            try require(Self.variables.contains(name), "containers.environment", name, "is not a variable that a plan may set")
            try require(PlanText.isValue(value), "containers.environment.\(name)", value, "is not printable ASCII of at most 16 KiB")
            variables.append("\(name)=\(value)")
        }
        if containers.hasTopology {
            variables.append("NCCL_TOPO_FILE=\(Self.topologyPath)")
            all.mounts = [
                Mount(
                    hostPath: "\(workloads)/\(WorkloadFile.name(plan.claim.uid))", containerPath: Self.topologyPath,
                    options: ["ro", "nosuid", "nodev", "bind"])
            ]
        }
        if !variables.isEmpty { all.env = variables }
        var devices: [SpecDevice] = []
        for device in plan.devices { devices.append(try self.device(device, plan.claim.uid)) }
        for (request, index) in try descriptions(plan, containers) {
            devices[index].containerEdits.mounts = [mount(request, plan, containers)]
        }
        let names = Set(devices.map(\.name))
        try require(names.count == devices.count, "devices", "\(devices.count)", "has two devices with the same name")
        return Spec(kind: DeviceNames.kind(driver: driver), devices: devices, containerEdits: all == ContainerEdits() ? nil : all)
    }

    private func device(_ plan: DevicePlan, _ uid: String) throws(SpecRefusal) -> SpecDevice {
        try require(PlanText.isLabel(plan.device), "devices.device", plan.device, "is not a DNS label")
        if let share = plan.shareID { try require(PlanText.isUID(share), "devices.shareID", share, "is not a UID") }
        let nodes = plan.access?.nodes ?? []
        try require(nodes.count <= Self.mostNodes, "\(plan.device): nodes", "\(nodes.count)", "is more than \(Self.mostNodes)")
        let value = plan.interface?.name ?? plan.access?.address ?? plan.device
        try require(PlanText.isValue(value), "\(plan.device): name", value, "is not printable ASCII of at most 16 KiB")
        // The variable tells the workload its device. It also keeps the edits from being empty: runtimes refuse such files.
        let variable = "NEARSIDE_" + plan.device.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
        return SpecDevice(
            name: DeviceNames.name(plan, claim: uid),
            containerEdits: ContainerEdits(
                env: ["\(variable)=\(value)"],
                deviceNodes: nodes.isEmpty ? nil : nodes.map { DeviceNode(path: $0.path, major: $0.major, minor: $0.minor) }))
    }

    // MARK: Files of KEP-5304

    /// Returns the first device of each described request, which identifies containers with the request.
    private func descriptions(_ plan: ClaimPlan, _ containers: ContainerPlan) throws(SpecRefusal) -> [(request: String, index: Int)] {
        guard !containers.describedRequests.isEmpty else { return [] }
        try require(PlanText.isSubdomain(plan.claim.name), "claim.name", plan.claim.name, "is not a DNS subdomain")
        if let name = containers.podClaimName {
            try require(PlanText.isLabel(name), "containers.podClaimName", name, "is not a DNS label")
        }
        var found: [(request: String, index: Int)] = []
        for request in Set(containers.describedRequests).sorted() {
            try require(PlanText.isLabel(request), "containers.describedRequests", request, "is not a DNS label")
            guard let index = plan.devices.firstIndex(where: { $0.request == request || $0.request.hasPrefix("\(request)/") }) else {
                throw SpecRefusal(.malformed, "containers.describedRequests", "no device of the plan belongs to request \(request)")
            }
            found.append((request, index))
        }
        return found
    }

    private func mount(_ request: String, _ plan: ClaimPlan, _ containers: ContainerPlan) -> Mount {
        let place = containers.podClaimName.map { "resourceclaimtemplates/\($0)" } ?? "resourceclaims/\(plan.claim.name)"
        return Mount(
            hostPath: "\(workloads)/\(WorkloadFile.name(plan.claim.uid, request: request))",
            containerPath: "/var/run/kubernetes.io/dra-device-attributes/\(place)/\(request)/\(driver)-metadata.json",
            options: ["ro", "bind"])
    }

    /// Returns the names of the workload files that the specification mounts.
    package func files(_ plan: ClaimPlan) -> [String] {
        guard let containers = plan.containers else { return [] }
        return (containers.hasTopology ? [WorkloadFile.name(plan.claim.uid)] : [])
            + Set(containers.describedRequests).sorted().map { WorkloadFile.name(plan.claim.uid, request: $0) }
    }

    private func require(_ isRight: Bool, _ field: String, _ value: String, _ cause: String) throws(SpecRefusal) {
        if !isRight { throw SpecRefusal(.malformed, field, "\"\(value.prefix(64))\" \(cause)") }
    }
}
