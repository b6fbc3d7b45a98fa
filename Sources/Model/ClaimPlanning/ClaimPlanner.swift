// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import Hardware
package import JournalModel
package import ResourceAPI
import Topology

/// Computes the plan of an allocated claim on this node. Pure.
package struct ClaimPlanner: Sendable {
    package var input: PlannerInput

    package init(_ input: PlannerInput) { self.input = input }

    /// The result of planning: the plan, and the files for workloads.
    package struct Outcome: Hashable, Sendable {
        package var plan: ClaimPlan
        /// The topology file of the claim's devices for NCCL; nil if no configuration requests it.
        package var ncclTopology: String?
        /// The description of each request's devices, if containers get one.
        package var metadata: [String: DeviceMetadata] = [:]
    }

    /// One device of the claim with its configuration.
    struct Member {
        var result: AllocatedDevice
        /// The pair or set that was allocated.
        var group: String?
        var device: Device
        var config: NetworkConfig

        var label: String { "request \(result.request)" }

        /// True if the device has an interface that goes to the pod.
        var hasInterface: Bool { device.kind == .nic && !device.netdevs.isEmpty }
    }

    /// - Parameter others: the plans of all claims on this node, including this claim's own plan.
    package func plan(_ claim: ResourceClaim, others: [ClaimPlan]) throws(ClaimError) -> Outcome {
        let proposal = try propose(claim, configs(of: claim), existing: others.first { $0.claim.uid == claim.metadata.uid })
        return try outcome(of: proposal, others: others)
    }

    /// Computes the part of a plan that is independent of other claims.
    ///
    /// - Parameters:
    ///   - configs: the claim's configurations.
    ///   - existing: the present plan of the claim.
    package func propose(_ claim: ResourceClaim, _ configs: Configs, existing: ClaimPlan?) throws(ClaimError) -> Proposal {
        let identity = ClaimIdentity(
            namespace: claim.metadata.namespace ?? "", name: claim.metadata.name ?? "", uid: claim.metadata.uid ?? "")
        guard let allocation = claim.status?.allocation else {
            throw ClaimError(.notAllocated, identity, step: "prepare", "the claim is not allocated")
        }
        var problems = configs.problems
        let members = members(allocation.devices.results ?? [], configs.decoded, existing, &problems)
        refuseTooManyEntries(members, identity, &problems)
        let devices = plannedDevices(members, &problems)
        refuseUnusedConfig(members, &problems)
        let pods = (claim.status?.reservedFor ?? []).filter { $0.resource == "pods" }.map(\.uid)
        var proposal = Proposal(
            claim: identity, pods: pods, members: members, devices: devices, problems: problems, omitted: configs.omitted)
        if problems.isEmpty { proposal.outcome = outcome(claim, proposal, existing) }
        return proposal
    }

    /// The plans of the members' devices, without the part for containers.
    private func plannedDevices(_ members: [Member], _ problems: inout [PlanProblem]) -> [DevicePlan] {
        let counts = Dictionary(members.filter(\.hasInterface).map { ($0.config, 1) }, uniquingKeysWith: +)
        var ordinals: [NetworkConfig: Int] = [:]
        var planned: [DevicePlan] = []
        for member in members {
            let ordinal = ordinals[member.config, default: 0]
            if member.hasInterface { ordinals[member.config] = ordinal + 1 }
            var interfaces = InterfacePlanner(
                input: input, member: member, ordinal: ordinal, count: counts[member.config] ?? 0)
            let interface = interfaces.plan()
            var plan = DevicePlan(
                pool: member.result.pool, device: member.result.device, request: member.result.request, group: member.group,
                shareID: member.result.shareID, cdiDeviceIDs: [], interface: interface)
            // A device with admin access, or with allocations of other claims, stays on the host.
            let isTaken = member.result.adminAccess != true && member.result.shareID == nil && interface?.child == nil
            if input.facts.movesRDMA, isTaken, member.device.kind == .nic { plan.rdmaDevice = member.device.rdmaDevices.first?.name }
            plan.virtualFunction = interfaces.virtualFunction()
            problems += interfaces.problems
            planned.append(plan)
        }
        return planned
    }

    /// The outcome of a proposal without problems.
    private func outcome(_ claim: ResourceClaim, _ proposal: Proposal, _ existing: ClaimPlan?) -> Outcome {
        let edits = ContainerEditsPlanner(
            input: input, claim: proposal.claim, members: proposal.members, podClaimName: claim.podClaimName)
        var plan = ClaimPlan(claim: proposal.claim, pods: proposal.pods, devices: proposal.devices)
        for index in plan.devices.indices {
            plan.devices[index].access = edits.access(proposal.members[index])
            plan.devices[index].cdiDeviceIDs = edits.names(of: plan.devices[index])
        }
        plan.containers = edits.containers
        if claim.isOpen {
            plan.isOpen = true
            // Pods that were found to use the claim later, after its first reservation.
            plan.pods += (existing?.pods ?? []).filter { !plan.pods.contains($0) }
        }
        return Outcome(plan: plan, ncclTopology: edits.ncclTopology, metadata: edits.metadata(plan.devices))
    }

    private func refuseTooManyEntries(_ members: [Member], _ claim: ClaimIdentity, _ problems: inout [PlanProblem]) {
        let entries = members.reduce(0) { $0 + $1.config.entries }
        guard entries > ConfigLimits.entriesPerClaim else { return }
        problems.append(
            PlanProblem(
                .tooManyEntries, "its devices",
                "together have \(entries) addresses, routes, rules, neighbours, settings and flags; the limit is \(ConfigLimits.entriesPerClaim)"
            ))
    }

    /// Rejects a configuration of interfaces that no allocated device can use.
    private func refuseUnusedConfig(_ members: [Member], _ problems: inout [PlanProblem]) {
        for member in members
        where member.config.concernsInterface && !members.contains(where: { $0.config == member.config && $0.hasInterface }) {
            problems.append(
                PlanProblem(
                    .unusedConfig, member.label,
                    "no device of the request has an interface, so that it cannot use a configuration of interfaces"))
        }
    }
}
