// SPDX-License-Identifier: Apache-2.0

import Hardware
package import JournalModel
import NetworkModel
import ResourceAPI

/// Compares a proposal with the plans of other claims. Kept short, because it excludes other claims.
extension ClaimPlanner {
    /// The plan of a claim before the comparison with other claims.
    package struct Proposal: Sendable {
        package var claim: ClaimIdentity
        var pods: [String]
        var members: [Member]
        var devices: [DevicePlan]
        var problems: [PlanProblem]
        /// The number of problems that were not kept.
        var omitted: Int
        /// Nil if there are problems.
        package var outcome: Outcome?
    }

    /// - Throws: all problems of the claim, its own and those with other claims.
    package func outcome(of proposal: Proposal, others: [ClaimPlan]) throws(ClaimError) -> Outcome {
        var problems = proposal.problems
        let others = others.filter { $0.claim.uid != proposal.claim.uid }
        for member in proposal.members { refuseHeld(member, others, &problems) }
        refuseTakenNames(proposal, others, &problems)
        if let outcome = proposal.outcome, problems.isEmpty { return outcome }
        // Several devices of one request can have the same problem.
        var known: Set<PlanProblem> = []
        throw ClaimError(
            proposal.problems.isEmpty ? .conflict : .invalid, proposal.claim, problems.filter { known.insert($0).inserted },
            omitted: proposal.omitted)
    }

    private func refuseHeld(_ member: Member, _ others: [ClaimPlan], _ problems: inout [PlanProblem]) {
        guard member.result.adminAccess != true else { return }
        let nodes = Set(member.device.charDevices.map(\.path))
        for other in others {
            for plan in other.devices where plan.pool == member.result.pool {
                for (code, cause) in conflicts(member, nodes, plan, other.claim) {
                    problems.append(PlanProblem(code, "device \(member.result.device)", cause))
                }
            }
        }
    }

    /// The conflicts of a device with a device of another claim.
    private func conflicts(_ member: Member, _ nodes: Set<String>, _ plan: DevicePlan, _ holder: ClaimIdentity) -> [(
        PlanProblem.Code, String
    )] {
        var found: [(PlanProblem.Code, String)] = []
        let (result, function) = (member.result, member.device.function)
        let heldFunction = input.devices[plan.device]?.function
        // A shared device has several allocations, which the scheduler counts.
        if plan.device == result.device, result.shareID == nil || plan.shareID == nil {
            found.append((.deviceHeld, "is still held by claim \(holder)"))
        }
        // A node can open several devices: /dev/vfio/GROUP opens all functions of the group.
        if plan.device != result.device, let node = plan.access?.nodes.first(where: { nodes.contains($0.path) }) {
            found.append(
                (
                    .nodeHeld,
                    "is opened by \(node.path), as is \(plan.device), which claim \(holder) holds; claim them together"
                ))
        }
        // A physical function that moves takes its virtual functions with it, or leaves them without configuration.
        if let address = heldFunction?.physicalFunction, address == function?.address {
            found.append((.virtualFunctionHeld, "has a virtual function, \(plan.device), that claim \(holder) holds"))
        }
        if let address = function?.physicalFunction, address == heldFunction?.address, plan.interface?.child == nil {
            found.append((.physicalFunctionHeld, "is a virtual function of \(plan.device), which claim \(holder) holds"))
        }
        return found
    }

    /// Rejects equal names of two interfaces in one pod, also if they belong to different claims.
    private func refuseTakenNames(_ proposal: Proposal, _ others: [ClaimPlan], _ problems: inout [PlanProblem]) {
        var holders: [String: String] = [:]
        var domains: [String: VRF] = [:]
        for other in others where !Set(other.pods).isDisjoint(with: proposal.pods) {
            for device in other.devices {
                if let name = device.interface?.name { holders[name] = "claim \(other.claim)" }
                if let vrf = device.interface?.vrf { domains[vrf.name] = vrf }
            }
        }
        for device in proposal.devices {
            guard let interface = device.interface else { continue }
            if let holder = holders.updateValue("device \(device.device)", forKey: interface.name) {
                problems.append(
                    PlanProblem(
                        .nameTaken, "device \(device.device)", at: "interface.name",
                        "\"\(interface.name)\" is already used in the pod by \(holder)"))
            }
            if let vrf = interface.vrf { domains[vrf.name] = domains[vrf.name] ?? vrf }
        }
        for device in proposal.devices {
            guard let vrf = device.interface?.vrf else { continue }
            refuseConflicts(of: vrf, "device \(device.device)", domains, isInterface: holders[vrf.name] != nil, &problems)
        }
    }

    private func refuseConflicts(
        of vrf: VRF, _ object: String, _ domains: [String: VRF], isInterface: Bool, _ problems: inout [PlanProblem]
    ) {
        let conflicts = domains.values.filter { $0 != vrf && ($0.name == vrf.name || $0.table == vrf.table) }
        if let other = conflicts.min(by: { $0.name < $1.name }) {
            problems.append(
                PlanProblem(
                    .vrfConflict, object, at: "interface.vrf",
                    "\(vrf.name) with table \(vrf.table) and \(other.name) with table \(other.table) exclude each other"))
        }
        if isInterface {
            problems.append(
                PlanProblem(.nameTaken, object, at: "interface.vrf.name", "\"\(vrf.name)\" is the name of an interface of the pod"))
        }
    }
}
