// SPDX-License-Identifier: Apache-2.0

package import ClaimPlanning
import ControlProtocol
import Journal
package import JournalModel
import Logging

extension ClaimPreparer {
    /// Releases the devices of a claim. Succeeds for a claim that was never prepared.
    package func unprepare(_ identity: ClaimIdentity) async throws(ClaimError) {
        let end = ContinuousClock.now + Self.releaseTimeout
        let plan = try await beginRelease(identity, until: end)
        // No lock is held here: the phase `released` of the plan keeps other calls from preparing the claim or taking its devices.
        // Interfaces are restored even without a plan, which may have been damaged.
        if plan.map({ $0.hasInterfaces || $0.hasRDMANodes }) ?? journal.hasState(identity.uid) {
            try await release(identity)
        } else if case .failure(let error) = await ask(.release(claim: identity.uid), timeout: Self.withdrawalTimeout).value {
            // Only the CDI specification is left; nearside-nri removes it at its next start.
            log.warning("CDI specification not withdrawn", metadata: ["claim": "\(identity)", "error": "\(error)"])
        }
        try await endRelease(identity, until: end)
        if plan != nil { options.report?(identity, nil) }
        log.info("claim released", metadata: ["claim": "\(identity)"])
    }

    /// The kubelet's time-out is 45 seconds.
    private static let releaseTimeout = Duration.seconds(40)

    /// The time-out for a claim without a device in a pod.
    private static let withdrawalTimeout = Duration.seconds(2)

    /// Sets the phase `released`, after which no device of the claim can be attached.
    ///
    /// - Returns: the plan; nil if the claim has none.
    private func beginRelease(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) -> ClaimPlan? {
        let lock = try await lockClaim(identity, until: end)
        defer { withExtendedLifetime(lock) {} }
        return try await withPlans("claim \(identity)", until: end) { () throws(ClaimError) in
            guard var plan = plans.plan(identity.uid) else { return nil }
            if plan.phase == .prepared {
                plan.phase = .released
                do throws(JournalError) { try plans.write(plan) } catch {
                    throw ClaimError(.journal, identity, step: "write the plan", "\(error)")
                }
            }
            return plan
        }
    }

    /// Removes the files of the claim, unless another call has released and prepared it again.
    private func endRelease(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) {
        let lock = try await lockClaim(identity, until: end)
        defer { withExtendedLifetime(lock) {} }
        try await withPlans("claim \(identity)", until: end) { () throws(ClaimError) in
            guard plans.plan(identity.uid)?.phase != .prepared else { return }
            lost[identity.uid] = nil
            do {
                // Before the plan: a start remembers each claim with a plan.
                try options.prepared?.remove(identity.uid)
                try journal.removeWorkloads(identity.uid)
                try journal.removePlan(identity.uid)
            } catch { throw ClaimError(.journal, identity, step: "remove the claim's files", "\(error)") }
        }
    }

    private func release(_ identity: ClaimIdentity) async throws(ClaimError) {
        switch await ask(.release(claim: identity.uid), timeout: options.releaseTimeout).value {
        case .success(.ok), .success(.supports): return
        case .success(.refused(let reason)): throw ClaimError(.injectorRefused, identity, reason)
        case .failure(let error):
            throw ClaimError(.injectorUnreachable, identity, step: "restore the claim's devices", "\(error)")
        }
    }
}
