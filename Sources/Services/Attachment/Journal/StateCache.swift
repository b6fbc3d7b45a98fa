// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel

/// The states of the journal in memory. No other program writes them, so each is read once; a change is on the disk before it is in memory.
final class StateCache {
    private let journal: JournalFolder
    private let damage: (JournalError) -> Void
    private var loaded: [String: ClaimState]?

    /// - Parameter damage: is called with the error of each state that cannot be read.
    init(_ journal: JournalFolder, damage: @escaping (JournalError) -> Void) {
        self.journal = journal
        self.damage = damage
    }

    /// All states that can be read, in the order of the claims' UIDs. They are loaded at first use: another instance of this program may
    /// have written them till then.
    var all: [ClaimState] { states().values.sorted { $0.claim.uid < $1.claim.uid } }

    private func states() -> [String: ClaimState] {
        if let loaded { return loaded }
        let (found, damaged) = journal.loadStates()
        for error in damaged { damage(error) }
        let states = Dictionary(found.map { ($0.claim.uid, $0) }, uniquingKeysWith: { first, _ in first })
        loaded = states
        return states
    }

    /// The state of a claim; nil when there is none.
    ///
    /// - Throws: ``JournalError`` when there is one that cannot be read, such as that of a newer release: it must not be overwritten.
    func state(_ uid: String) throws(JournalError) -> ClaimState? {
        if let state = states()[uid] { return state }
        return try journal.state(uid)
    }

    func write(_ state: ClaimState) throws(JournalError) {
        try journal.write(state)
        _ = states()
        loaded?[state.claim.uid] = state
    }

    /// Removes the state of a claim; nothing happens when there is none.
    func remove(_ uid: String) throws(JournalError) {
        guard states()[uid] != nil else { return }
        try journal.removeState(uid)
        loaded?[uid] = nil
    }
}
