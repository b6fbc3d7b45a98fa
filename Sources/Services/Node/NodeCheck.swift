// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Journal
import Linux

/// Asks a running `nearside-node` whether it is alive or ready, for the probes of its container.
package enum NodeCheck {
    /// Less than a probe's own time-out, so that the reason is printed.
    private static let timeout = Duration.seconds(4)

    /// - Parameters:
    ///   - level: one of ``levels``.
    ///   - podUID: of the instance that is asked; nil for the one that serves the journal.
    /// - Returns: nil when it is, otherwise the reason.
    package static func problem(_ level: String, journal: String, podUID: String?) -> String? {
        guard let level = NodeRequest.Level(rawValue: level) else { return "there is no check \"\(level)\"" }
        do throws(ControlUnreachable) {
            let request = NodeRequest.check(level)
            let socket = JournalFolder(journal, states: JournalFolder.defaultStatesPath, for: .node).nodeSocket(of: podUID)
            switch try ControlClient.ask(request, socket: socket, milliseconds: timeout.milliseconds) {
            case .ok, .supports: return nil
            case .refused(let why): return why
            }
        } catch { return "\(error)" }
    }

    /// `alive` and `ready`.
    package static let levels = NodeRequest.Level.allCases.map(\.rawValue)
}
