// SPDX-License-Identifier: Apache-2.0

import Glibc
package import JournalModel
import Linux

/// Plans, which nearside-node writes.
extension JournalFolder {
    /// Reads the plan of a claim; nil if it has none.
    package func plan(_ uid: String) throws(JournalError) -> ClaimPlan? {
        try read(.plans, uid)
    }

    /// Reads all plans, and sets damaged ones aside.
    package func plans() -> (plans: [ClaimPlan], damaged: [JournalError]) {
        readAll(.plans)
    }

    /// Writes a plan, and removes the damaged file that was set aside for it.
    ///
    /// - Returns: the text of the file.
    @discardableResult
    package func write(_ plan: ClaimPlan) throws(JournalError) -> [UInt8] {
        let text = try text(plan)
        try write(text, ofPlan: plan.claim.uid)
        return text
    }

    /// The text of a plan's file. Pure.
    package func text(_ plan: ClaimPlan) throws(JournalError) -> [UInt8] { try text(plan, .plans, plan.claim.uid) }

    func write(_ text: [UInt8], ofPlan uid: String) throws(JournalError) {
        try replace(.plans, uid, text, isDurable: true)
        try? Files.remove(file(.plans, uid) + Self.aside)
    }

    /// True if the plan's file has this text.
    func isText(_ text: [UInt8], ofPlan uid: String) -> Bool {
        (try? Files.read(file(.plans, uid), limit: ClaimPlan.sizeLimit)) == text
    }

    /// The size of a plan's file in bytes; nil if it does not exist.
    func size(ofPlan uid: String) -> Int? { Files.size(file(.plans, uid)) }

    /// Removes a plan, and the damaged file that was set aside for it.
    package func removePlan(_ uid: String) throws(JournalError) {
        try remove(.plans, uid)
        try? Files.remove(file(.plans, uid) + Self.aside)
    }

    /// True for a plan that was set aside as damaged, and has been neither written again nor released.
    package func isDamaged(_ uid: String) -> Bool { Files.exists(file(.plans, uid) + Self.aside) }

    /// Marks the plan of a claim as lost, like a plan that was set aside as damaged, until it is written or removed.
    package func markLost(_ uid: String) throws(JournalError) {
        let file = try checkedFile(.plans, uid) + Self.aside
        do throws(SystemError) { try Files.replace(file, with: [], mode: 0o600, isDurable: false) } catch {
            throw JournalError(.systemError, file, .write, "\(error)")
        }
    }

    /// Renames the files of a plan, including a damaged one, so that no reader takes them for a plan. Keeps the latest file.
    ///
    /// - Returns: the new path, `CLAIM-UID.json.foreign`.
    package func setAsideForeignPlan(_ uid: String) throws(JournalError) -> String {
        let path = try checkedFile(.plans, uid)
        let target = path + Self.foreign
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        for file in [path + Self.aside, path] where unsafe rename(file, target) != 0 && errno != ENOENT {
            throw JournalError(.systemError, file, .write, "\(SystemError("rename to \(target)", file, code: errno))")
        }
        return target
    }

    private static let foreign = ".foreign"

    /// The claims of all files of plans, including files that were set aside.
    package func planUIDs() -> Set<String> { Set(Files.list(plansFolder).compactMap(Self.uid(ofChanged:))) }

    /// The claim of a file of a plan, including a file that was set aside.
    static func uid(ofChanged name: String) -> String? {
        uid(ofFile: name.hasSuffix(aside) ? String(name.dropLast(aside.count)) : name)
    }
}
