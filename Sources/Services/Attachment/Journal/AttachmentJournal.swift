// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging

/// The journal as `nearside-nri` uses it: reads the plans that `nearside-node` writes, and writes states, leases and late pods.
///
/// ## Concurrency model
/// Used by one thread.
final class AttachmentJournal {
    private let folder: JournalFolder
    private let planCache: PlanCache
    private let stateCache: StateCache

    /// - Parameter log: receives an entry for each unusable file.
    init(_ folder: JournalFolder, log: Logger) {
        self.folder = folder
        planCache = PlanCache(folder) { log.error("plan cannot be used", metadata: ["error": "\($0)"]) }
        stateCache = StateCache(folder) { log.error("state cannot be used", metadata: ["error": "\($0)"]) }
    }

    // MARK: Plans

    /// All readable plans, and the last readable version of each plan that is damaged now.
    var plans: [ClaimPlan] { Array(planCache.all()) }

    /// UIDs of claims whose plans are damaged and were never read by this program.
    var lostClaims: Set<String> { planCache.lostClaims() }

    func plan(_ uid: String) -> ClaimPlan? { planCache.plan(uid) }

    /// - Throws: ``AttachmentError/Code/notPrepared`` if the claim has no plan, or is being released.
    func preparedPlan(_ uid: String) throws(AttachmentError) -> ClaimPlan {
        guard let plan = planCache.plan(uid), plan.phase == .prepared else {
            throw AttachmentError(.notPrepared, "claim \(uid)", "not prepared on this node")
        }
        return plan
    }

    /// Plans of the prepared claims that a pod uses, by UID of the pod; sorted by the claims' UIDs.
    func preparedPlans(of pod: String) -> [ClaimPlan] {
        planCache.all().filter { $0.phase == .prepared && $0.pods.contains(pod) }.sorted { $0.claim.uid < $1.claim.uid }
    }

    // MARK: States

    /// All readable states, sorted by the claims' UIDs.
    var states: [ClaimState] { stateCache.all }

    /// The state of a claim; nil if no device of it was attached.
    ///
    /// - Throws: ``AttachmentError/Code/journal`` for an unreadable state, which must not be overwritten.
    func state(_ claim: ClaimIdentity) throws(AttachmentError) -> ClaimState? { try state(claim.uid) }

    func state(_ uid: String) throws(AttachmentError) -> ClaimState? {
        do throws(JournalError) { return try stateCache.state(uid) } catch {
            throw AttachmentError(.journal, "claim \(uid)", step: "read its state", error)
        }
    }

    /// Writes a state. It is durable when this returns.
    func write(_ state: ClaimState) throws(AttachmentError) {
        do throws(JournalError) { try stateCache.write(state) } catch {
            throw AttachmentError(.journal, "claim \(state.claim)", step: "write its state", error)
        }
    }

    func removeState(_ claim: ClaimIdentity) throws(AttachmentError) {
        do throws(JournalError) { try stateCache.remove(claim.uid) } catch {
            throw AttachmentError(.journal, "claim \(claim)", step: "remove its state", error)
        }
    }

    // MARK: Leases

    func lease(_ key: LeaseKey) -> Lease? { folder.lease(key) }
    func write(_ lease: Lease, _ key: LeaseKey) throws(JournalError) { try folder.write(lease, key) }
    func removeLease(_ key: LeaseKey) throws(SystemError) { try folder.removeLease(key) }

    // MARK: Late pods

    /// Late pods by UID.
    var latePods: [String: LatePod] {
        Dictionary(folder.latePods().pods.map { ($0.uid, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func write(_ pod: LatePod) throws(JournalError) { try folder.write(pod) }
    func removeLatePod(_ uid: String) { folder.removeLatePod(uid) }
}
