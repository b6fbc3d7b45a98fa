// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Journal
import Linux

/// The check of a probe, which asks the serving instance over its own socket. During a rolling update the old instance answers for the
/// new one, which waits for the old one's end.
package enum DaemonCheck {
    /// `alive`: the daemon answers. `ready`: it is synchronised with the runtime.
    package static let levels = ["alive", "ready"]

    /// Shorter than the probe's time-out.
    private static let timeout = Duration.seconds(4)

    /// - Returns: the reason why the daemon has not reached the level; nil if it has.
    package static func problem(_ level: String, journal: String, states: String) -> String? {
        do throws(ControlUnreachable) {
            let socket = JournalFolder(journal, states: states, for: .injector).socket
            switch try ControlClient.ask(.status, socket: socket, timeout: timeout) {
            case .ok, .supports: return nil
            case .refused(let reason): return level == "ready" ? reason : nil
            }
        } catch { return "\(error)" }
    }
}
