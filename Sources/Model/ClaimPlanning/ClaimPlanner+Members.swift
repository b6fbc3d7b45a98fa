// SPDX-License-Identifier: Apache-2.0

import ClaimConfig
import JournalModel
package import ResourceAPI

/// Reads the devices and configurations of an allocation.
extension ClaimPlanner {
    /// Configurations of this driver, and their problems.
    package struct Configs: Sendable {
        var decoded: [(AllocationConfig, NetworkConfig)] = []
        var problems: [PlanProblem] = []
        var omitted = 0

        /// True if drivers have to report the features of interfaces before a plan is made.
        package var askDrivers: Bool { decoded.contains { $0.1.features != nil || $0.1.privateFlags != nil } }
    }

    /// Decodes the claim's configurations of this driver.
    package func configs(of claim: ResourceClaim) -> Configs {
        var configs = Configs()
        for (index, config) in (claim.status?.allocation?.devices.config ?? []).enumerated() {
            guard let opaque = config.opaque, opaque.driver == input.driver else { continue }
            let found: [ConfigProblem]
            do throws(InvalidConfig) {
                let network = try NetworkConfig(parameters: opaque.parameters)
                found = config.source == .fromClass ? [] : network.claimProblems(allowed: input.options.allowedToClaims)
                configs.decoded.append((config, network))
            } catch {
                found = error.problems
                configs.omitted += error.omitted
            }
            configs.problems += found.map {
                PlanProblem(.config, "configuration \(index) (\(config.source.rawValue))", at: $0.path, $0.text)
            }
        }
        return configs
    }

    /// The devices of an allocation. A pair stands for all its members, each as if it had been allocated for the same request. The
    /// members of a pair can change after the loss of a device; an existing plan keeps its members.
    func members(
        _ results: [AllocatedDevice], _ configs: [(AllocationConfig, NetworkConfig)], _ existing: ClaimPlan?,
        _ problems: inout [PlanProblem]
    ) -> [Member] {
        var members: [Member] = []
        for result in results where result.driver == input.driver {
            if let pool = input.options.pool, result.pool != pool {
                problems.append(
                    PlanProblem(
                        .otherPool, "request \(result.request)",
                        "device \(ProblemText.quoted(result.device)) is in pool \(ProblemText.quoted(result.pool)), but this node has pool \(pool)"
                    ))
                continue
            }
            let kept = (existing?.devices ?? []).filter { $0.group == result.device && $0.pool == result.pool }.map(\.device)
            let names = kept.isEmpty ? input.groups[result.device] : kept
            for name in names ?? [result.device] {
                if let member = member(name, of: result, isGroup: names != nil, configs, &problems) { members.append(member) }
            }
        }
        return members
    }

    /// The device of a name with its configuration; nil if this node lacks the device.
    private func member(
        _ name: String, of result: AllocatedDevice, isGroup: Bool, _ configs: [(AllocationConfig, NetworkConfig)],
        _ problems: inout [PlanProblem]
    ) -> Member? {
        let missing = input.missingInterfaces[name]
        if let missing, result.adminAccess != true {
            problems.append(PlanProblem(.interfaceMissing, "device \(name)", missing.refusal))
        }
        guard let device = input.devices[name] else {
            if missing == nil {
                problems.append(
                    PlanProblem(
                        .deviceMissing, "device \(name)",
                        "is no longer on this node; delete the pod, so that another device can be allocated"))
            }
            return nil
        }
        var config = NetworkConfig()
        var found: [ConfigProblem] = []
        for source in [AllocationConfig.Source.fromClass, .fromClaim] {
            let base = config
            for (allocation, network) in configs where allocation.source == source && allocation.applies(to: result) {
                if source == .fromClaim { found += network.pinProblems(under: base) }
                config = config.overlaid(by: network)
            }
        }
        problems += (found + config.conflicts).map { PlanProblem(.config, "request \(result.request)", at: $0.path, $0.text) }
        var member = result
        member.device = name
        return Member(result: member, group: isGroup ? result.device : nil, device: device, config: config)
    }
}
