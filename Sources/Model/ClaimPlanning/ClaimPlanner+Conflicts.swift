// SPDX-License-Identifier: Apache-2.0

import Hardware
package import JournalModel
import NetworkModel
import ResourceAPI

/// A plan that is compared with those of other claims. What takes long is done before, so that nobody waits for it.
extension ClaimPlanner {
    /// The plan that a claim would get if there were no other claims.
    package struct Proposal: Sendable {
        package var claim: ClaimIdentity
        var pods: [String]
        var members: [Member]
        var devices: [DevicePlan]
        var problems: [String]
        /// How many more problems there are.
        var omitted: Int
        /// Nil when there are problems.
        package var outcome: Outcome?
    }

    /// - Throws: all that is wrong with the claim, by itself and beside the others.
    package func outcome(of proposal: Proposal, others: [ClaimPlan]) throws(ClaimError) -> Outcome {
        var problems = proposal.problems
        for member in proposal.members { refuseHeld(member, proposal.claim, others, &problems) }
        refuseDoubleNames(proposal.devices, proposal.pods, proposal.claim, others, &problems)
        if let outcome = proposal.outcome, problems.isEmpty { return outcome }
        // Several devices of one request have the same thing wrong with them.
        var told: Set<String> = []
        throw ClaimError(
            proposal.problems.isEmpty ? .conflict : .invalid, proposal.claim, problems.filter { told.insert($0).inserted },
            omitted: proposal.omitted)
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

    /// Two interfaces of one pod cannot have one name, also when they come by different claims.
    private func refuseDoubleNames(
        _ planned: [DevicePlan], _ pods: [String], _ claim: ClaimIdentity, _ others: [ClaimPlan], _ problems: inout [String]
    ) {
        var holders: [String: String] = [:]
        var domains: [String: VRF] = [:]
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
