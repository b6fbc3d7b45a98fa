// SPDX-License-Identifier: Apache-2.0

package import JournalModel
import Linux

/// States, each with a copy, which nearside-nri writes.
extension JournalFolder {
    /// Reads the state of a claim; nil if it has none.
    package func state(_ uid: String) throws(JournalError) -> ClaimState? {
        let state: ClaimState?
        do throws(JournalError) { state = try read(.states, uid) ?? copy(uid) } catch {
            guard let copy = copy(uid) else { throw error }
            state = copy
        }
        return state.flatMap { $0.boot == Boot.current ? $0 : nil }
    }

    /// True if a device of the claim may have left the host, even if its state is unreadable.
    package func hasState(_ uid: String) -> Bool {
        (try? checkedFile(.states, uid)).map { Files.exists($0) || Files.exists($0 + Self.copySuffix) } ?? false
    }

    /// Reads the states of this boot: after a reboot neither namespaces nor changed interfaces exist. A damaged or removed file is
    /// replaced by its copy.
    package func states() -> (states: [ClaimState], damaged: [JournalError]) {
        let (states, damaged) = statesOfAllBoots()
        return (states.filter { $0.boot == Boot.current }, damaged)
    }

    private func statesOfAllBoots() -> (states: [ClaimState], damaged: [JournalError]) {
        var (states, damaged): ([ClaimState], [JournalError]) = readAll(.states)
        let known = Set(states.map(\.claim.uid))
        for name in Files.list(statesFolder) where name.hasSuffix(Self.copySuffix) {
            guard let uid = Self.uid(ofFile: String(name.dropLast(Self.copySuffix.count))), !known.contains(uid) else { continue }
            if let state = copy(uid) { states.append(state) }
        }
        return (states, damaged)
    }

    /// Reads the states for the program that writes them. Removes states of earlier boots, and restores files of which only the copy
    /// exists.
    ///
    /// - Returns: the states of this boot, and the error of each unreadable file. Such a file is moved aside, so that a later read does
    ///   not report it.
    package func loadStates() -> (states: [ClaimState], damaged: [JournalError]) {
        let (all, damaged) = statesOfAllBoots()
        for state in all where state.boot != Boot.current { try? removeState(state.claim.uid) }
        let states = all.filter { $0.boot == Boot.current }
        mend(states)
        return (states, damaged)
    }

    /// Writes a state and its copy. The files are not flushed, because attachments do not survive a reboot either. The copy exists
    /// because no other source has the host's settings; on a full disk it is omitted.
    package func write(_ state: ClaimState) throws(JournalError) {
        let file = try write(state, .states, state.claim.uid, isDurable: false)
        try? Files.replace(file.path + Self.copySuffix, with: file.bytes, mode: 0o600, isDurable: false)
    }

    /// Restores the file of each state of which only the copy exists.
    func mend(_ states: [ClaimState]) {
        for state in states { if let file = try? checkedFile(.states, state.claim.uid), !Files.exists(file) { try? write(state) } }
    }

    /// Removes the copy first: a copy without its original would restore a finished claim.
    package func removeState(_ uid: String) throws(JournalError) {
        let copy = try checkedFile(.states, uid) + Self.copySuffix
        do throws(SystemError) { try Files.remove(copy) } catch { throw JournalError(.systemError, copy, .remove, "\(error)") }
        try remove(.states, uid)
    }

    /// Reads the copy of a state; nil if it is missing or unusable.
    private func copy(_ uid: String) -> ClaimState? {
        guard let file = try? checkedFile(.states, uid), let bytes = try? Files.read(file + Self.copySuffix, limit: ClaimState.sizeLimit)
        else { return nil }
        return try? JournalDocument<ClaimState>.decode(bytes, uid: uid)
    }

    private static let copySuffix = ".copy"
}
