// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging

/// The journal as `nearside-nri` uses it: the plans of claims, which `nearside-node` writes, and the states, leases and late pods, which this
/// program writes.
///
/// ## Concurrency model
/// Used by one thread.
final class AttachmentJournal {
    private let folder: JournalFolder
    private let planCache: PlanCache
    private let stateCache: StateCache

    /// - Parameter log: gets an entry for each file that cannot be used.
    init(_ folder: JournalFolder, log: Logger) {
        self.folder = folder
        planCache = PlanCache(folder) { log.error("plan cannot be used", metadata: ["error": "\($0)"]) }
        stateCache = StateCache(folder) { log.error("state cannot be used", metadata: ["error": "\($0)"]) }
    }

    // MARK: Plans

    /// All plans that can be read, and the last readable ones of files that were damaged since.
    var plans: [ClaimPlan] { Array(planCache.all()) }

    /// UIDs of claims whose plans are damaged and were never read by this program.
    var lostClaims: Set<String> { planCache.lostClaims() }

    func plan(_ uid: String) -> ClaimPlan? { planCache.plan(uid) }

    /// - Throws: ``AttachmentError/Code/notPrepared`` for a claim that has no plan, or is being released.
    func preparedPlan(_ uid: String) throws(AttachmentError) -> ClaimPlan {
        guard let plan = planCache.plan(uid), plan.phase == .prepared else {
            throw AttachmentError(.notPrepared, "claim \(uid)", "not prepared on this node")
        }
        return plan
    }

    /// Plans of the prepared claims that a pod uses, by UID of the pod; in the order of the claims' UIDs.
    func preparedPlans(of pod: String) -> [ClaimPlan] {
        planCache.all().filter { $0.phase == .prepared && $0.pods.contains(pod) }.sorted { $0.claim.uid < $1.claim.uid }
    }

    // MARK: States

    /// All states that can be read, in the order of the claims' UIDs.
    var states: [ClaimState] { stateCache.all }

    /// The state of a claim; nil when nothing of it was attached.
    ///
    /// - Throws: ``AttachmentError/Code/journal`` for one that cannot be read: it must not be overwritten.
    func state(_ claim: ClaimIdentity) throws(AttachmentError) -> ClaimState? { try state(claim.uid) }

    func state(_ uid: String) throws(AttachmentError) -> ClaimState? {
        do throws(JournalError) { return try stateCache.state(uid) } catch {
            throw AttachmentError(.journal, "claim \(uid)", step: "read its state", error)
        }
    }

    /// Writes a state; it is on the disk when this returns.
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
