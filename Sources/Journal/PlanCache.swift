// SPDX-License-Identifier: Apache-2.0

import Linux

/// The plans of the journal in memory: a file is read again only when it has changed.
///
/// nearside-node has a plan in its place before the kubelet is told that the claim is prepared, and the kernel tells of it at
/// once; so whoever asks later never sees less. With it, what a claim costs does not grow with the claims of the node.
///
/// ## Concurrency model
/// Used by one thread, or within one actor.
package final class PlanCache {
    private let journal: JournalFolder
    private let damage: (JournalError) -> Void
    private var changes: FolderChanges?
    private var plans: [String: ClaimPlan] = [:]
    private var lost: Set<String> = []

    package init(_ journal: JournalFolder, damage: @escaping (JournalError) -> Void) {
        self.journal = journal
        self.damage = damage
    }

    /// All plans that can be read, and those that could be before they were damaged.
    package func all() -> some Collection<ClaimPlan> {
        refresh()
        return plans.values
    }

    /// The plan of a claim, as in ``all()``.
    package func plan(_ uid: String) -> ClaimPlan? {
        refresh()
        return plans[uid]
    }

    /// Claims of which nothing is known but that their plans were damaged before anybody here had read them.
    package func lostClaims() -> Set<String> {
        refresh()
        return lost
    }

    /// Writes a plan, which is known from then on whatever becomes of its file: for nearside-node, which alone writes plans.
    package func write(_ plan: ClaimPlan) throws(JournalError) {
        try journal.write(plan)
        plans[plan.claim.uid] = plan
    }

    private func refresh() {
        var found = FolderChanges.Changes.everything
        do throws(SystemError) {
            if let changes {
                found = try changes.next()
            } else {
                changes = try FolderChanges(journal.plansFolder)
            }
        } catch {
            // Without a watch everything is read each time.
            changes = nil
        }
        switch found {
        case .entries(let names):
            for uid in names.compactMap(JournalFolder.uid(ofChanged:)) {
                // One that cannot be read any more is as it was: a pod is not to start without its devices because of it.
                do throws(JournalError) {
                    let plan = try journal.plan(uid)
                    if plan != nil || !journal.isDamaged(uid) { plans[uid] = plan }
                } catch { damage(error) }
                if plans[uid] == nil, journal.isDamaged(uid) { lost.insert(uid) } else { lost.remove(uid) }
            }
        case .everything:
            let (all, damaged) = journal.plans()
            plans = plans.filter { journal.isDamaged($0.key) }.merging(all.map { ($0.claim.uid, $0) }) { $1 }
            for error in damaged { damage(error) }
            lost = Set(journal.damagedPlans()).subtracting(plans.keys)
        }
    }
}
