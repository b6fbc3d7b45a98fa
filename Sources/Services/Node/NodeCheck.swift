// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Journal

/// Asks a `nearside-node` that runs whether it lives or can serve: for the probes of its container.
package enum NodeCheck {
    /// Less than a probe's own time-out, so that it can say what is wrong.
    private static let timeout = 4000

    /// - Parameters:
    ///   - level: `alive` or `ready`.
    ///   - podUID: of the instance that is asked; nil for the one that serves the journal.
    /// - Returns: nil when it is, or why not; for a level that does not exist, that.
    package static func problem(_ level: String, journal: String, podUID: String?) -> String? {
        guard let level = NodeRequest.Level(rawValue: level) else { return "there is no check \"\(level)\"" }
        do throws(ControlUnreachable) {
            let request = NodeRequest.check(level)
            let socket = JournalFolder(journal, states: JournalFolder.defaultStatesPath, for: .node).nodeSocket(of: podUID)
            switch try ControlClient.ask(request, socket: socket, milliseconds: timeout) {
            case .ok, .supports: return nil
            case .refused(let why): return why
            }
        } catch { return "\(error)" }
    }

    package static let levels = NodeRequest.Level.allCases.map(\.rawValue)
}
