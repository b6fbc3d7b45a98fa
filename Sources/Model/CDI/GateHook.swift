// SPDX-License-Identifier: Apache-2.0

/// Command line and time-out of the OCI hook `nearside-gate`, shared by the CDI specification and the NRI plugin.
package enum GateHook {
    /// Seconds after which the runtime ends the hook: longer than the gate's own time-out, so that the gate can report the reason.
    package static let seconds = 30

    /// Returns the arguments of the hook, the program's name first.
    package static func arguments(claim: String, socket: String) -> [String] {
        ["nearside-gate", "--claim", claim, "--socket", socket]
    }
}
