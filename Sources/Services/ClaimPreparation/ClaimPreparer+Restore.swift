// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Journal
import JournalModel
import Kubernetes
import Linux
import Logging
import ResourceAPI

/// Restores plans after a restart of the machine, which removes plans and CDI specifications. The kubelet does not prepare claims again
/// that its checkpoint lists as prepared.
extension ClaimPreparer {
    /// Marks the missing plans of prepared claims as lost: `nearside-nri` starts no container that may use such a claim before its plan
    /// is restored. Also remembers claims that an older release prepared.
    ///
    /// - Returns: the number of lost plans.
    package func findLostPlans() -> Int {
        guard let prepared = options.prepared else { return 0 }
        let known = Set(plans.all().map(\.claim.uid))
        for plan in plans.all() where plan.phase == .prepared { remember(plan.claim) }
        lost = Dictionary(prepared.list().filter { !known.contains($0.uid) }.map { ($0.uid, $0) }, uniquingKeysWith: { first, _ in first })
        for claim in lost.values.sorted(by: { $0.uid < $1.uid }) {
            log.notice("plan of a prepared claim lost", metadata: ["claim": "\(claim)"])
            do throws(JournalError) { try journal.markLost(claim.uid) } catch {
                log.error("lost plan not marked", metadata: ["claim": "\(claim)", "error": "\(error)"])
            }
        }
        return lost.count
    }

    /// Restores lost plans in parallel.
    ///
    /// - Returns: the number of plans that are still lost, because the API server is unreachable or a device is missing.
    package func restoreLostPlans(until end: ContinuousClock.Instant) async -> Int {
        await withDiscardingTaskGroup { group in
            for claim in lost.values { group.addTask { await self.restore(claim, until: end) } }
        }
        return lost.count
    }

    package var hasLostPlans: Bool { !lost.isEmpty }

    private func restore(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async {
        do throws(ClaimError) {
            try await restorePlan(identity, until: end)
            if plans.plan(identity.uid)?.phase == .prepared { try await publish(identity) }
            lost[identity.uid] = nil
        } catch {
            options.report?(identity, error)
            log.warning("plan of a prepared claim not restored yet", metadata: ["claim": "\(identity)", "error": "\(error)"])
        }
    }

    private func restorePlan(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) {
        let lock = try await lockClaim(identity, until: end)
        defer { withExtendedLifetime(lock) {} }
        // The kubelet may have released or prepared the claim in the meantime, also at the other instance of a rolling update.
        guard plans.plan(identity.uid) == nil, lost[identity.uid] != nil, options.prepared?.contains(identity.uid) == true else { return }
        if let claim = try await usedClaim(identity, until: end) {
            try await remakeLocked(identity, claim, until: end)
        } else {
            try await forget(identity, until: end)
            log.notice("prepared claim is no longer used on this node", metadata: ["claim": "\(identity)"])
        }
    }

    /// The claim, if it is still allocated on this node and reserved; otherwise nil.
    private func usedClaim(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) -> ResourceClaim? {
        let claim: ResourceClaim
        do throws(APIError) {
            claim = try await resources.claim(identity.name, namespace: identity.namespace, timeout: end - ContinuousClock.now)
        } catch {
            if error.isNotFound, !error.isUnknownPath { return nil }
            throw ClaimError(.unreadable, identity, step: "read", "\(error)")
        }
        let isAllocated = (claim.status?.allocation?.devices.results ?? []).contains { result in
            result.driver == options.driver && (options.pool.map { $0 == result.pool } ?? true)
        }
        return claim.metadata.uid == identity.uid && isAllocated && claim.status?.reservedFor?.isEmpty == false ? claim : nil
    }

    private func forget(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) {
        try await withPlans("claim \(identity)", until: end) { () throws(ClaimError) in
            guard plans.plan(identity.uid) == nil else { return }
            do {
                try options.prepared?.remove(identity.uid)
                try journal.removePlan(identity.uid)
            } catch { throw ClaimError(.journal, identity, step: "remove the claim's files", "\(error)") }
        }
    }

    /// Moves unreadable plan files of claims that this driver never prepared to another name: no pod can use such a claim, and every pod
    /// of the node would wait for its plan.
    ///
    /// Moves no file unless the prepared claims are known.
    func setAsideForeignPlans(until end: ContinuousClock.Instant) async throws(ClaimError) {
        guard !foreignPlans().isEmpty else { return }
        try await withPlans("the plans of unknown claims", until: end) { () throws(ClaimError) in
            for uid in foreignPlans() {
                do throws(JournalError) {
                    let file = try journal.setAsideForeignPlan(uid)
                    log.error("plan of an unknown claim set aside", metadata: ["claim": "\(uid)", "file": "\(file)"])
                } catch { log.error("plan of an unknown claim not set aside", metadata: ["claim": "\(uid)", "error": "\(error)"]) }
            }
        }
    }

    private func foreignPlans() -> [String] {
        guard let prepared = options.prepared else { return [] }
        return plans.lostClaims().filter { !prepared.mayContain($0) }.sorted()
    }

    /// Remembers a claim, which the kubelet is about to record as prepared. If the disk is full, a restart of the machine loses the
    /// claim, but its pod starts.
    func remember(_ claim: ClaimIdentity) {
        do throws(SystemError) { try options.prepared?.add(claim) } catch {
            log.error(
                "remembering a prepared claim failed; a restart of the machine would lose it",
                metadata: ["claim": "\(claim)", "error": "\(error)"])
        }
    }
}
