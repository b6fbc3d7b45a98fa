// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Journal

/// What a probe asks of the instance that serves, over its own socket. During a rolling update the older instance answers; the next one
/// waits for its end and is as ready as it can be.
package enum InjectorCheck {
    /// `alive`: it answers. `ready`: it is synchronised with the runtime.
    package static let levels = ["alive", "ready"]

    /// In milliseconds: less than the probe's own.
    private static let timeout = 4000

    /// - Returns: why it is not so; nil when it is.
    package static func problem(_ level: String, journal: String, states: String) -> String? {
        do throws(ControlUnreachable) {
            let socket = JournalFolder(journal, states: states, for: .injector).socket
            switch try ControlClient.ask(.status, socket: socket, milliseconds: timeout) {
            case .ok, .supports: return nil
            case .refused(let why): return level == "ready" ? why : nil
            }
        } catch { return "\(error)" }
    }
}
