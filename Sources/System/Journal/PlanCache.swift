// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Linux

/// The plans of the journal in memory: a file is read again only when it has changed.
///
/// nearside-node has a plan in its place before it reports to the kubelet that the claim is prepared, and the kernel announces it at
/// once; so later reads never see less. With it, what a claim costs does not grow with the claims of the node.
///
/// ## Concurrency model
/// Used by one thread, or within one actor.
package final class PlanCache {
    private let journal: JournalFolder
    /// Bytes of files that are kept as plans at most: their writer must not fill the memory of their reader. One that is
    /// beyond them counts as one that cannot be read.
    private let room: Int
    private var sizes: [String: Int] = [:]
    /// Claims for whose plans there was no room: they are read again with every change.
    private var beyond: Set<String> = []
    private let damage: (JournalError) -> Void
    private var changes: FolderChanges?
    private var plans: [String: ClaimPlan] = [:]
    private var lost: Set<String> = []
    /// Claims whose plans could not be read at the last attempt, each reported once.
    private var unreadable: Set<String> = []
    /// Texts of plans that were written here and not announced by the kernel yet.
    private var written: [String: [UInt8]] = [:]

    /// - Parameters:
    ///   - room: bytes of all plan files that are kept; by default those of 1,600 claims of 16 KiB.
    ///   - damage: called for each plan that cannot be read.
    package init(_ journal: JournalFolder, room: Int = 25 << 20, damage: @escaping (JournalError) -> Void) {
        self.journal = journal
        self.room = room
        self.damage = damage
    }

    /// All plans that can be read, and those that could be before they could not any more.
    package func all() -> some Collection<ClaimPlan> {
        refresh()
        return plans.values
    }

    /// The plan of a claim, as in ``all()``.
    package func plan(_ uid: String) -> ClaimPlan? {
        refresh()
        return plans[uid]
    }

    /// Claims of which nothing is known but that their plans cannot be read, and could not be before.
    package func lostClaims() -> Set<String> {
        refresh()
        return lost
    }

    /// True for a plan whose file cannot be read, or was set aside, and that was neither written again nor released since.
    package func isDamaged(_ uid: String) -> Bool {
        refresh()
        return unreadable.contains(uid) || journal.isDamaged(uid)
    }

    /// Writes a plan, which is known from then on whatever becomes of its file: for nearside-node, which alone writes plans.
    ///
    /// - Parameter text: its text, where that is known.
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
            // Without a watch everything is read each time.
            changes = nil
        }
        switch found {
        case .entries(let names):
            let changed = Set(names.compactMap(JournalFolder.uid(ofChanged:)))
            // A plan that has gone makes room for others.
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

    /// A plan that cannot be read any more stays as last read, so that a pod does not start without its devices
    /// because of it. A plan that was never read is lost.
    private func read(_ uid: String) {
        // A text that was written here is known, and is not decoded again.
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
        throw JournalError(.noRoom, journal.file(.plans, uid), .read, "is beyond the \(room) bytes that all plans together may have")
    }
}
