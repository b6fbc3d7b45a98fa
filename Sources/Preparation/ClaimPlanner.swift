// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
package import Hardware
package import Journal
package import ResourceAPI
package import Topology

/// A claim that cannot be prepared: why, and what to do.
package struct ClaimError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    /// Cuts the text: it goes to the kubelet, into the claim's status and into an event.
    package init(_ description: String) {
        self.description = ProblemText.cut(description, to: ProblemText.bytes + ProblemText.problemBytes)
    }

    /// All that is wrong with a claim, at once, as far as ``ProblemText`` has room for it.
    init(_ claim: ClaimIdentity, _ problems: [String], omitted: Int) {
        self.init("claim \(claim): \(ProblemText.joined(problems, omitted: omitted))")
    }
}

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
        let identity = ClaimIdentity(
            namespace: claim.metadata.namespace ?? "", name: claim.metadata.name ?? "", uid: claim.metadata.uid ?? "")
        guard let allocation = claim.status?.allocation else {
            throw ClaimError("claim \(identity) is not allocated")
        }
        var problems: [String] = []
        var omitted = 0
        let configs = configs(allocation.devices.config ?? [], &problems, &omitted)
        let existing = others.first { $0.claim.uid == identity.uid }
        let members = members(allocation.devices.results ?? [], configs, existing, &problems)
        for member in members { refuseHeld(member, identity, others, &problems) }
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
        refuseDoubleNames(planned, pods, identity, others, &problems)
        if !problems.isEmpty {
            // Several devices of one request have the same thing wrong with them.
            var told: Set<String> = []
            throw ClaimError(identity, problems.filter { told.insert($0).inserted }, omitted: omitted)
        }
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
        return Outcome(plan: plan, ncclTopology: edits.ncclTopology, metadata: edits.metadata(planned))
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

    private func refuseHeld(_ member: Member, _ claim: ClaimIdentity, _ others: [ClaimPlan], _ problems: inout [String]) {
        let result = member.result
        guard result.adminAccess != true else { return }
        let nodes = Set(member.device.charDevices.map(\.path))
        for other in others where other.claim.uid != claim.uid {
            for plan in other.devices where plan.pool == result.pool {
                // A share is one of several allocations that the scheduler counts.
                if plan.device == result.device, result.shareID == nil || plan.shareID == nil {
                    problems.append("device \(result.device) is still held by claim \(other.claim)")
                }
                // One node can open several devices: /dev/vfio/GROUP does so with all functions of the group.
                if plan.device != result.device, let node = plan.access?.nodes.first(where: { nodes.contains($0.path) }) {
                    problems.append(
                        "device \(result.device) is opened by \(node.path), as is \(plan.device), which claim \(other.claim) holds; claim them together"
                    )
                }
                // A physical function takes its virtual ones along, or leaves them without anybody to set them up.
                if let function = devices[plan.device]?.function?.physicalFunction, function == member.device.function?.address {
                    problems.append("device \(result.device) has a virtual function, \(plan.device), which claim \(other.claim) holds")
                }
                if let function = member.device.function?.physicalFunction, function == devices[plan.device]?.function?.address,
                    plan.interface?.child == nil
                {
                    problems.append("device \(result.device) is a virtual function of \(plan.device), which claim \(other.claim) holds")
                }
            }
        }
    }

    // MARK: Configuration

    private func configs(
        _ configs: [AllocationConfig], _ problems: inout [String], _ omitted: inout Int
    ) -> [(AllocationConfig, NetworkConfig)] {
        var decoded: [(AllocationConfig, NetworkConfig)] = []
        for (index, config) in configs.enumerated() {
            guard let opaque = config.opaque, opaque.driver == driver else { continue }
            let found: [ConfigProblem]
            do throws(InvalidConfig) {
                let network = try NetworkConfig(parameters: opaque.parameters)
                found = config.source == .fromClass ? [] : network.claimProblems(allowed: options.allowedToClaims)
                decoded.append((config, network))
            } catch {
                found = error.problems
                omitted += error.omitted
            }
            problems += found.map { "configuration \(index) (\(config.source.rawValue)): \($0)" }
        }
        return decoded
    }

    /// What nobody is there to hear is a mistake: an interface's configuration for requests that have no interface.
    private func refuseIdleConfig(_ members: [Member], _ problems: inout [String]) {
        for member in members where member.wish.concernsInterface && !members.contains(where: { $0.wish == member.wish && $0.hasInterface })
        {
            problems.append("\(member.label): no device of it has an interface, so a configuration of interfaces cannot be for it")
        }
    }

    /// Two interfaces of one pod cannot have one name, also when they come by different claims.
    private func refuseDoubleNames(
        _ planned: [DevicePlan], _ pods: [String], _ claim: ClaimIdentity, _ others: [ClaimPlan], _ problems: inout [String]
    ) {
        var holders: [String: String] = [:]
        var domains: [String: VRFPlan] = [:]
        for other in others where other.claim.uid != claim.uid && !Set(other.pods).isDisjoint(with: pods) {
            for device in other.devices {
                if let name = device.interface?.name { holders[name] = "claim \(other.claim)" }
                if let vrf = device.interface?.vrf { domains[vrf.name] = vrf }
            }
        }
        for device in planned {
            guard let interface = device.interface else { continue }
            if let holder = holders.updateValue("device \(device.device)", forKey: interface.name) {
                problems.append("interface.name: \"\(interface.name)\" is taken in the pod by \(holder)")
            }
            if let vrf = interface.vrf { domains[vrf.name] = domains[vrf.name] ?? vrf }
        }
        for device in planned {
            guard let vrf = device.interface?.vrf else { continue }
            if let other = domains.values.filter({ $0 != vrf && ($0.name == vrf.name || $0.table == vrf.table) }).min(by: {
                $0.name < $1.name
            }) {
                problems.append(
                    "interface.vrf: \(vrf.name) with table \(vrf.table) and \(other.name) with table \(other.table) exclude each other")
            }
            if holders[vrf.name] != nil { problems.append("interface.vrf.name: \"\(vrf.name)\" is the name of an interface of the pod") }
        }
    }
}

extension ClaimPlanner.Member {
    /// True when an interface of it goes to the pod.
    var hasInterface: Bool { device.kind == .nic && !device.netdevs.isEmpty }
}
