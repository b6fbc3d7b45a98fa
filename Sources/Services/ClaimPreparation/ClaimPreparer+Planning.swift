// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Hardware
import Journal
import JournalModel
import Kubernetes
import Linux
package import ResourceAPI

/// Plans a claim in three steps: copies the inputs, computes the plan on the thread of the claim, and commits the plan. Only the commit,
/// which compares it with the plans of other claims, excludes other calls.
extension ClaimPreparer {
    /// The inputs of a plan besides the claim, at one moment.
    private struct PlanInputs: Sendable {
        var planner: ClaimPlanner
        /// The present plan of the claim.
        var existing: ClaimPlan?
    }

    /// Decodes a claim. Large claims are decoded one at a time.
    package static func decode(_ text: [UInt8]) async -> Result<ResourceClaim, JSONError> {
        if text.count <= ResourceClaim.largeBytes { return ResourceClient.claim(text) }
        return await LongWork.shared.run { ResourceClient.claim(text) }
    }

    /// Computes and writes the plan of a claim whose lock is held.
    @concurrent
    nonisolated func plan(
        _ identity: ClaimIdentity, _ claim: ResourceClaim, until end: ContinuousClock.Instant
    ) async throws(ClaimError) -> Attempt {
        while true {
            let inputs = try await inputs(identity)
            let draft =
                claim.isLarge
                ? try await LongWork.shared.run { self.draft(claim, inputs) }.get() : try draft(claim, inputs).get()
            guard let attempt = try await commit(draft, inputs, until: end) else { continue }
            if let outcome = draft.proposal.outcome, case .prepared = attempt { try writeWorkloads(outcome) }
            return attempt
        }
    }

    private struct Draft: Sendable {
        var proposal: ClaimPlanner.Proposal
        /// The text of the plan; nil if it equals the present plan.
        var text: [UInt8]?
        /// Devices by their names in slices.
        var names: Set<String>
    }

    private nonisolated func draft(_ claim: ResourceClaim, _ inputs: PlanInputs) -> Result<Draft, ClaimError> {
        var planner = inputs.planner
        let configs = planner.configs(of: claim)
        let claimed = claimed(claim, inputs)
        let facts = PlanningFacts.read(
            claimed, vendorSpecFolders: options.vendorSpecFolders, readsFeatures: configs.askDrivers, log: log)
        planner.input.facts = facts
        do throws(ClaimError) {
            let proposal = try planner.propose(claim, configs, existing: inputs.existing)
            var text: [UInt8]?
            if let plan = proposal.outcome?.plan, plan != inputs.existing {
                do throws(JournalError) { text = try journal.text(plan) } catch {
                    throw ClaimError(.journal, plan.claim, step: "encode the plan", "\(error)")
                }
            }
            return .success(Draft(proposal: proposal, text: text, names: Set(claimed.keys)))
        } catch { return .failure(error) }
    }

    private func inputs(_ identity: ClaimIdentity) throws(ClaimError) -> PlanInputs {
        var input = PlannerInput(options.planning, devices: published.devices, groups: published.groups)
        input.options.pool = options.pool
        input.topology = published.topology
        input.missingInterfaces = published.missingInterfaces
        input.attributes = published.attributes
        let existing = plans.plan(identity.uid)
        if let existing, existing.phase == .released {
            throw ClaimError(.releasing, existing.claim, step: "prepare", "the claim is being released", advice: "retry after the release")
        }
        return PlanInputs(planner: ClaimPlanner(input), existing: existing)
    }

    /// Devices of the claim by their names in slices; for a pair or a set, its members.
    private nonisolated func claimed(_ claim: ResourceClaim, _ inputs: PlanInputs) -> [String: Device] {
        let names = deviceNames(claim, inputs.planner.input.groups).union(inputs.existing?.devices.map(\.device) ?? [])
        return inputs.planner.input.devices.filter { names.contains($0.key) }
    }

    private nonisolated func deviceNames(_ claim: ResourceClaim, _ groups: [String: [String]]) -> Set<String> {
        let results = (claim.status?.allocation?.devices.results ?? []).filter { $0.driver == options.driver }
        return Set(results.flatMap { groups[$0.device] ?? [$0.device] })
    }

    /// Writes the plan, unless another claim has one of the devices.
    ///
    /// - Returns: nil if the claim's plan changed in the meantime, so that it has to be computed again.
    private func commit(_ draft: Draft, _ inputs: PlanInputs, until end: ContinuousClock.Instant) async throws(ClaimError) -> Attempt? {
        let (proposal, text, names) = (draft.proposal, draft.text, draft.names)
        let identity = proposal.claim
        return try await withPlans("claim \(identity)", until: end) { () throws(ClaimError) in
            guard plans.plan(identity.uid) == inputs.existing else { return nil }
            let outcome: ClaimPlanner.Outcome
            do throws(ClaimError) { outcome = try inputs.planner.outcome(of: proposal, others: Array(plans.all())) } catch {
                guard let holder = holder(of: names, besides: identity) else { throw error }
                return .held(holder, error)
            }
            if text != nil { try checkFeatures(outcome.plan) }
            do throws(JournalError) {
                // The write reserves the devices. It also replaces a damaged plan that has not changed.
                if text != nil || plans.isDamaged(identity.uid) { try plans.write(outcome.plan, text: text) }
            } catch { throw ClaimError(.journal, identity, step: "write the plan", "\(error)") }
            return .prepared(outcome.plan)
        }
    }

    /// The plan of another claim with one of the devices.
    private func holder(of names: Set<String>, besides claim: ClaimIdentity) -> ClaimPlan? {
        plans.all().first { plan in
            plan.claim.uid != claim.uid && plan.devices.contains { $0.shareID == nil && names.contains($0.device) }
        }
    }

    private func checkFeatures(_ plan: ClaimPlan) throws(ClaimError) {
        guard let known = injectorFeatures else { return }
        let missing = plan.features.map(\.rawValue).filter { !known.contains($0) }.sorted()
        guard missing.isEmpty else {
            // The daemon may have been updated: the next attempt queries its features again.
            injectorFeatures = nil
            throw ClaimError(
                .injectorOutdated, plan.claim,
                "nearside-nri of this node is an older release and does not support \(missing.joined(separator: ", "))",
                advice: "update nearside-nri on this node")
        }
    }

    /// Writes the files for workloads after the plan, because files without a plan would never be removed.
    private nonisolated func writeWorkloads(_ outcome: ClaimPlanner.Outcome) throws(ClaimError) {
        let identity = outcome.plan.claim
        do {
            if let text = outcome.ncclTopology { try journal.writeWorkload(text, identity.uid) }
            for (request, metadata) in outcome.metadata {
                try journal.writeWorkload(try metadata.text(), identity.uid, request: request)
            }
        } catch { throw ClaimError(.journal, identity, step: "write files for containers", "\(error)") }
    }
}
