// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Journal
import Linux

/// Queries whether a running `nearside-node` is alive or ready, for the probes of its container.
package enum NodeCheck {
    /// Shorter than the probe's time-out, so that the reason is printed.
    private static let timeout = Duration.seconds(4)

    /// - Parameters:
    ///   - level: one of ``levels``.
    ///   - podUID: the UID of the instance's pod; nil for the instance that serves the journal.
    /// - Returns: the reason why the instance has not reached the level; nil if it has.
    package static func problem(_ level: String, journal: String, podUID: String?) -> String? {
        guard let level = NodeRequest.Level(rawValue: level) else { return "unknown check \"\(level)\"" }
        do throws(ControlUnreachable) {
            let request = NodeRequest.check(level)
            let socket = JournalFolder(journal, states: JournalFolder.defaultStatesPath, for: .node).nodeSocket(of: podUID)
            switch try ControlClient.ask(request, socket: socket, timeout: timeout) {
            case .ok, .supports: return nil
            case .refused(let why): return why
            }
        } catch { return "\(error)" }
    }

    /// `alive` and `ready`.
    package static let levels = NodeRequest.Level.allCases.map(\.rawValue)
}
