// SPDX-License-Identifier: Apache-2.0

/// How a runtime starts `nearside-gate`, by a CDI specification or because the plugin says so.
package enum GateHook {
    /// After so long the hook has failed: longer than the gate's own timeout, so that it can say why.
    package static let seconds = 30

    /// With the name of the program first.
    package static func arguments(claim: String, socket: String) -> [String] {
        ["nearside-gate", "--claim", claim, "--socket", socket]
    }
}
