// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel

/// The states of the journal in memory. This program is their only writer, so it reads each state once. A change is durable before it is
/// in memory.
final class StateCache {
    private let journal: JournalFolder
    private let damage: (JournalError) -> Void
    private var loaded: [String: ClaimState]?

    /// - Parameter damage: is called with the error of each unreadable state.
    init(_ journal: JournalFolder, damage: @escaping (JournalError) -> Void) {
        self.journal = journal
        self.damage = damage
    }

    /// All readable states, sorted by the claims' UIDs. They are loaded at first use, because another instance of this program may write
    /// them until then.
    var all: [ClaimState] { states().values.sorted { $0.claim.uid < $1.claim.uid } }

    private func states() -> [String: ClaimState] {
        if let loaded { return loaded }
        let (found, damaged) = journal.loadStates()
        for error in damaged { damage(error) }
        let states = Dictionary(found.map { ($0.claim.uid, $0) }, uniquingKeysWith: { first, _ in first })
        loaded = states
        return states
    }

    /// The state of a claim; nil without a state.
    ///
    /// - Throws: ``JournalError`` for an unreadable state, such as the state of a newer release, which must not be overwritten.
    func state(_ uid: String) throws(JournalError) -> ClaimState? {
        if let state = states()[uid] { return state }
        return try journal.state(uid)
    }

    func write(_ state: ClaimState) throws(JournalError) {
        try journal.write(state)
        _ = states()
        loaded?[state.claim.uid] = state
    }

    /// Removes the state of a claim, if it exists.
    func remove(_ uid: String) throws(JournalError) {
        guard states()[uid] != nil else { return }
        try journal.removeState(uid)
        loaded?[uid] = nil
    }
}
