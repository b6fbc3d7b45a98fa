// SPDX-License-Identifier: Apache-2.0

package import ClaimPlanning
import ControlProtocol
import Journal
package import JournalModel
import Logging

extension ClaimPreparer {
    /// Releases the devices of a claim; fine when it was never prepared.
    package func unprepare(_ identity: ClaimIdentity) async throws(ClaimError) {
        let end = ContinuousClock.now + Self.releaseTimeout
        let plan = try await beginRelease(identity, until: end)
        // No lock is held here: the plan says `released`, so nobody prepares the claim or takes its devices meanwhile. Also without a
        // plan, which may have been damaged: what has left the host comes back.
        if plan.map({ $0.hasInterfaces || $0.hasRDMANodes }) ?? journal.hasState(identity.uid) {
            try await release(identity)
        } else if case .failure(let error) = await ask(.release(claim: identity.uid), milliseconds: Self.withdrawalTimeout).value {
            // Only the CDI specification is left, which nearside-nri removes at its next start.
            log.warning("CDI specification cannot be withdrawn now", metadata: ["claim": "\(identity)", "error": "\(error)"])
        }
        try await endRelease(identity, until: end)
        if plan != nil { options.report?(identity, nil) }
        log.info("given up", metadata: ["claim": "\(identity)"])
    }

    /// The kubelet waits 45 seconds.
    private static let releaseTimeout = Duration.seconds(40)

    /// In milliseconds, for a claim of which nothing has left the host.
    private static let withdrawalTimeout = 2000

    /// Writes that nothing of the claim may be attached any more.
    ///
    /// - Returns: its plan, nil when there is none.
    private func beginRelease(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) -> ClaimPlan? {
        let lock = try await lockClaim(identity, until: end)
        defer { withExtendedLifetime(lock) {} }
        return try await withPlans("claim \(identity)", until: end) { () throws(ClaimError) in
            guard var plan = plans.plan(identity.uid) else { return nil }
            if plan.phase == .prepared {
                plan.phase = .released
                do throws(JournalError) { try plans.write(plan) } catch { throw ClaimError("claim \(identity): \(error)") }
            }
            return plan
        }
    }

    /// Removes what was written for the claim. One that another call has released and that was prepared again since is left alone.
    private func endRelease(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) {
        let lock = try await lockClaim(identity, until: end)
        defer { withExtendedLifetime(lock) {} }
        try await withPlans("claim \(identity)", until: end) { () throws(ClaimError) in
            guard plans.plan(identity.uid)?.phase != .prepared else { return }
            lost[identity.uid] = nil
            do {
                // Before the plan, which is remembered at the next start when this ends in between.
                try options.prepared?.remove(identity.uid)
                try journal.removeWorkloads(identity.uid)
                try journal.removePlan(identity.uid)
            } catch { throw ClaimError("claim \(identity): \(error)") }
        }
    }

    private func release(_ identity: ClaimIdentity) async throws(ClaimError) {
        switch await ask(.release(claim: identity.uid), milliseconds: options.releaseTimeout).value {
        case .success(.ok), .success(.supports): return
        case .success(.refused(let why)): throw ClaimError("claim \(identity): \(why)")
        case .failure(let error):
            throw ClaimError("claim \(identity): its interfaces cannot be brought back: \(error)")
        }
    }
}
