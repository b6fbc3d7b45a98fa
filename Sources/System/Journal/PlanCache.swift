// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Linux

/// The plans of the journal in memory. A file is read again only after a change.
///
/// nearside-node writes a plan before it reports the claim as prepared, and the kernel announces the file at once, so that later reads
/// see it. The cost of a claim therefore does not grow with the number of claims on the node.
///
/// ## Concurrency model
/// Used by one thread, or within one actor.
package final class PlanCache {
    private let journal: JournalFolder
    /// The limit of all plan files together in bytes, so that their writer cannot fill the memory of the reader. A plan beyond the limit
    /// counts as unreadable.
    private let room: Int
    private var sizes: [String: Int] = [:]
    /// Claims whose plans exceeded the limit; they are read again after every change.
    private var beyond: Set<String> = []
    private let damage: (JournalError) -> Void
    private var changes: FolderChanges?
    private var plans: [String: ClaimPlan] = [:]
    private var lost: Set<String> = []
    /// Claims whose plans were unreadable at the last attempt. Each is reported once.
    private var unreadable: Set<String> = []
    /// Texts of plans that this process wrote and the kernel has not announced yet.
    private var written: [String: [UInt8]] = [:]

    /// - Parameters:
    ///   - room: the limit of all plan files together in bytes; the default suffices for 1,600 claims of 16 KiB.
    ///   - damage: called for each unreadable plan.
    package init(_ journal: JournalFolder, room: Int = 25 << 20, damage: @escaping (JournalError) -> Void) {
        self.journal = journal
        self.room = room
        self.damage = damage
    }

    /// All readable plans, and the last readable version of unreadable ones.
    package func all() -> some Collection<ClaimPlan> {
        refresh()
        return plans.values
    }

    /// The plan of a claim, as in ``all()``.
    package func plan(_ uid: String) -> ClaimPlan? {
        refresh()
        return plans[uid]
    }

    /// Claims whose plans are unreadable, and were never read before.
    package func lostClaims() -> Set<String> {
        refresh()
        return lost
    }

    /// True for a plan whose file is unreadable or was set aside, and that has been neither written again nor released.
    package func isDamaged(_ uid: String) -> Bool {
        refresh()
        return unreadable.contains(uid) || journal.isDamaged(uid)
    }

    /// Writes a plan, which stays cached even if its file is lost. For nearside-node, the only writer of plans.
    ///
    /// - Parameter text: the plan's text, if known.
    package func write(_ plan: ClaimPlan, text: [UInt8]? = nil) throws(JournalError) {
        let uid = plan.claim.uid
        let text = if let text { text } else { try journal.text(plan) }
        try journal.write(text, ofPlan: uid)
        plans[uid] = plan
        written[uid] = text
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
            // Without a watch, all files are read each time.
            changes = nil
        }
        switch found {
        case .entries(let names):
            let changed = Set(names.compactMap(JournalFolder.uid(ofChanged:)))
            // The end of a plan makes room for others.
            for uid in changed where journal.size(ofPlan: uid) == nil { sizes[uid] = nil }
            for uid in changed.union(beyond).sorted() { read(uid) }
        case .everything:
            let found = journal.planUIDs()
            plans = plans.filter { found.contains($0.key) }
            sizes = sizes.filter { found.contains($0.key) }
            beyond.formIntersection(found)
            lost.formIntersection(found)
            unreadable.formIntersection(found)
            for uid in found.sorted() { read(uid) }
        }
    }

    /// Reads a plan. An unreadable plan keeps its last readable version, so that no pod starts without its devices. A plan that
    /// was never read is lost.
    private func read(_ uid: String) {
        // This process wrote the text, so that it need not be decoded.
        if let text = written.removeValue(forKey: uid), plans[uid] != nil, journal.isText(text, ofPlan: uid) {
            unreadable.remove(uid)
            lost.remove(uid)
            return
        }
        var isReadable = true
        do throws(JournalError) {
            try takeRoom(uid)
            let plan = try journal.plan(uid)
            isReadable = plan != nil || !journal.isDamaged(uid)
            if isReadable { plans[uid] = plan }
            unreadable.remove(uid)
        } catch {
            isReadable = false
            if unreadable.insert(uid).inserted { damage(error) }
        }
        if plans[uid] == nil, !isReadable { lost.insert(uid) } else { lost.remove(uid) }
    }

    private func takeRoom(_ uid: String) throws(JournalError) {
        sizes[uid] = journal.size(ofPlan: uid)
        guard sizes.values.reduce(0, +) > room else {
            beyond.remove(uid)
            return
        }
        sizes[uid] = nil
        beyond.insert(uid)
        throw JournalError(.noRoom, journal.file(.plans, uid), .read, "exceeds the limit of \(room) bytes for all plans together")
    }
}
