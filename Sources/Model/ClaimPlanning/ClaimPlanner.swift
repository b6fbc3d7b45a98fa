// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
package import Hardware
package import JournalModel
package import ResourceAPI
package import Topology

/// The operator's choices of how claims are planned.
package struct PlannerOptions: Hashable, Sendable {
    package var driver: String
    /// The pool of this node's devices; nil when any will do.
    package var pool: String?
    /// True when containers get a file that describes their devices (KEP-5304).
    package var tellsDevices = false
    /// Privileged settings that claims may set on this node, by ``PrivilegedSetting/path``.
    package var allowedToClaims: Set<String> = []

    package init(driver: String) { self.driver = driver }
}

/// Turns an allocated claim into what is to be done on this node. Pure.
package struct ClaimPlanner: Sendable {
    package var options: PlannerOptions
    /// Devices of this node by their name in slices.
    package var devices: [String: Device]
    /// Names of the members' devices, by that of a pair or set of pairs.
    package var groups: [String: [String]]
    /// NICs that are not given out without an interface, by the name of the device.
    package var missingInterfaces: [String: MissingInterface] = [:]
    /// What drivers tell of interfaces, by the interface's name; what is not told is not checked.
    package var facts: [String: InterfaceFacts] = [:]
    /// Names that vendors' own tools gave to accelerators, by the name of the device.
    package var vendorNames: [String: String] = [:]
    /// Whether an RDMA device is in one namespace only, and so has to go into the pod's.
    package var movesRDMA = false
    /// Who is near whom: for the files that tell workloads.
    package var topology: MachineTopology?
    /// Published attributes, by the name of the device.
    package var attributes: [String: [String: DeviceAttribute]] = [:]

    package var driver: String { options.driver }

    package init(_ options: PlannerOptions, devices: [String: Device], groups: [String: [String]] = [:]) {
        self.options = options
        self.devices = devices
        self.groups = groups
    }

    package struct Outcome: Hashable, Sendable {
        package var plan: ClaimPlan
        /// What NCCL is told of the claim's devices, if it is to be told.
        package var ncclTopology: String?
        /// What is told of the devices of each request, if it is to be told.
        package var metadata: [String: DeviceMetadata] = [:]
    }

    /// One device of the claim, with what is asked of it.
    struct Member {
        var result: AllocatedDevice
        /// The pair or set it was allocated in.
        var group: String?
        var device: Device
        var wish: NetworkConfig

        var label: String { "request \(result.request)" }
    }

    /// - Parameter others: the plans of all claims on this node, that of this one too if there is one.
    package func plan(_ claim: ResourceClaim, others: [ClaimPlan]) throws(ClaimError) -> Outcome {
        let proposal = try propose(claim, configs(of: claim), existing: others.first { $0.claim.uid == claim.metadata.uid })
        return try outcome(of: proposal, others: others)
    }

    /// All of a plan that does not depend on what other claims have.
    ///
    /// - Parameters:
    ///   - configs: those of the claim.
    ///   - existing: the plan of the claim, if there is one.
    package func propose(_ claim: ResourceClaim, _ configs: Configs, existing: ClaimPlan?) throws(ClaimError) -> Proposal {
        let identity = ClaimIdentity(
            namespace: claim.metadata.namespace ?? "", name: claim.metadata.name ?? "", uid: claim.metadata.uid ?? "")
        guard let allocation = claim.status?.allocation else {
            throw ClaimError(.notAllocated, identity, step: "prepare", "it is not allocated")
        }
        var problems = configs.problems
        let members = members(allocation.devices.results ?? [], configs.decoded, existing, &problems)
        let entries = members.reduce(0) { $0 + $1.wish.entries }
        if entries > ConfigLimits.entriesPerClaim {
            problems.append(
                "its devices together have \(entries) addresses, routes, rules, neighbours, settings and flags; at most \(ConfigLimits.entriesPerClaim) are taken"
            )
        }
        var planned: [DevicePlan] = []
        let alike = Dictionary(members.filter(\.hasInterface).map { ($0.wish, 1) }, uniquingKeysWith: +)
        var places: [NetworkConfig: Int] = [:]
        for member in members {
            let place = places[member.wish, default: 0]
            if member.hasInterface { places[member.wish] = place + 1 }
            let interface = interface(for: member, place: place, of: alike[member.wish] ?? 0, &problems)
            var plan = DevicePlan(
                pool: member.result.pool, device: member.result.device, request: member.result.request, group: member.group,
                shareID: member.result.shareID, cdiDeviceIDs: [], interface: interface)
            // A device of the monitoring kind is looked at, and stays where it is; one that others use too, likewise.
            let isTaken = member.result.adminAccess != true && member.result.shareID == nil && interface?.child == nil
            if movesRDMA, isTaken, member.device.kind == .nic { plan.rdmaDevice = member.device.rdmaDevices.first?.name }
            plan.virtualFunction = virtualFunction(of: member, &problems)
            planned.append(plan)
        }
        refuseIdleConfig(members, &problems)
        let pods = (claim.status?.reservedFor ?? []).filter { $0.resource == "pods" }.map(\.uid)
        var proposal = Proposal(
            claim: identity, pods: pods, members: members, devices: planned, problems: problems, omitted: configs.omitted)
        guard problems.isEmpty else { return proposal }
        let edits = ContainerEditsPlanner(planner: self, claim: identity, members: members, podClaimName: claim.podClaimName)
        for index in planned.indices {
            planned[index].access = edits.access(members[index])
            planned[index].cdiDeviceIDs = edits.names(of: planned[index])
        }
        var plan = ClaimPlan(claim: identity, pods: pods, devices: planned)
        plan.containers = edits.containers
        if claim.isOpen {
            plan.isOpen = true
            // Pods that were found to use it, and are not among those it was reserved for at first.
            plan.pods += (existing?.pods ?? []).filter { !pods.contains($0) }
        }
        proposal.outcome = Outcome(plan: plan, ncclTopology: edits.ncclTopology, metadata: edits.metadata(planned))
        return proposal
    }

    // MARK: Devices

    /// A pair is all its members, each as if it had been allocated for the same request. What a pair is can change when
    /// a device is lost; a claim that has its members keeps them.
    private func members(
        _ results: [AllocatedDevice], _ configs: [(AllocationConfig, NetworkConfig)], _ existing: ClaimPlan?, _ problems: inout [String]
    ) -> [Member] {
        var members: [Member] = []
        for result in results where result.driver == driver {
            if let pool = options.pool, result.pool != pool {
                problems.append(
                    "request \(result.request): device \(ProblemText.quoted(result.device)) is of pool \(ProblemText.quoted(result.pool)), and this node has pool \(pool)"
                )
                continue
            }
            let kept = (existing?.devices ?? []).filter { $0.group == result.device && $0.pool == result.pool }.map(\.device)
            let names = kept.isEmpty ? groups[result.device] : kept
            for name in names ?? [result.device] {
                if let missing = missingInterfaces[name], result.adminAccess != true { problems.append(missing.refusal(name)) }
                guard let device = devices[name] else {
                    if missingInterfaces[name] == nil {
                        problems.append("device \(name) is not on this node any more; delete the pod to have it allocated anew")
                    }
                    continue
                }
                var member = result
                member.device = name
                var wish = NetworkConfig()
                var found: [ConfigProblem] = []
                for source in [AllocationConfig.Source.fromClass, .fromClaim] {
                    let base = wish
                    for (config, network) in configs where config.source == source && config.applies(to: result) {
                        if source == .fromClaim { found += network.pinProblems(under: base) }
                        wish = wish.overlaid(by: network)
                    }
                }
                problems += (found + wish.conflicts).map { "request \(result.request): \($0)" }
                members.append(Member(result: member, group: names == nil ? nil : result.device, device: device, wish: wish))
            }
        }
        return members
    }

    // MARK: Configuration

    /// Configurations of this driver, and what is wrong with them.
    package struct Configs: Sendable {
        var decoded: [(AllocationConfig, NetworkConfig)] = []
        var problems: [String] = []
        var omitted = 0

        /// True when drivers of interfaces have to be asked what they can do before a plan is made.
        package var askDrivers: Bool { decoded.contains { $0.1.features != nil || $0.1.privateFlags != nil } }
    }

    package func configs(of claim: ResourceClaim) -> Configs {
        var configs = Configs()
        for (index, config) in (claim.status?.allocation?.devices.config ?? []).enumerated() {
            guard let opaque = config.opaque, opaque.driver == driver else { continue }
            let found: [ConfigProblem]
            do throws(InvalidConfig) {
                let network = try NetworkConfig(parameters: opaque.parameters)
                found = config.source == .fromClass ? [] : network.claimProblems(allowed: options.allowedToClaims)
                configs.decoded.append((config, network))
            } catch {
                found = error.problems
                configs.omitted += error.omitted
            }
            configs.problems += found.map { "configuration \(index) (\(config.source.rawValue)): \($0)" }
        }
        return configs
    }

    /// What nobody is there to hear is a mistake: an interface's configuration for requests that have no interface.
    private func refuseIdleConfig(_ members: [Member], _ problems: inout [String]) {
        for member in members where member.wish.concernsInterface && !members.contains(where: { $0.wish == member.wish && $0.hasInterface })
        {
            problems.append("\(member.label): no device of it has an interface, so a configuration of interfaces cannot be for it")
        }
    }
}

extension ClaimPlanner.Member {
    /// True when an interface of it goes to the pod.
    var hasInterface: Bool { device.kind == .nic && !device.netdevs.isEmpty }
}
