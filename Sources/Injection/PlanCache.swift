// SPDX-License-Identifier: Apache-2.0

import Journal
import Linux

/// The plans of the journal in memory: a file is read again only when it has changed.
///
/// nearside-node has a plan in its place before the kubelet is told that the claim is prepared, and the kernel tells of it at
/// once; so whoever asks later never sees less.
final class PlanCache {
    private let journal: JournalFolder
    private let damage: (JournalError) -> Void
    private var changes: FolderChanges?
    private var plans: [String: ClaimPlan] = [:]

    init(_ journal: JournalFolder, damage: @escaping (JournalError) -> Void) {
        self.journal = journal
        self.damage = damage
    }

    /// All plans that can be read.
    func all() -> some Collection<ClaimPlan> {
        refresh()
        return plans.values
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
            for uid in names.compactMap(JournalFolder.uid) {
                do throws(JournalError) { plans[uid] = try journal.plan(uid) } catch {
                    plans[uid] = nil
                    damage(error)
                }
            }
        case .everything:
            let (all, damaged) = journal.plans()
            plans = Dictionary(all.map { ($0.claim.uid, $0) }, uniquingKeysWith: { first, _ in first })
            for error in damaged { damage(error) }
        }
    }
}
