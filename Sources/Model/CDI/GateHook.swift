// SPDX-License-Identifier: Apache-2.0

/// The OCI hook `nearside-gate`, as the CDI specification and the NRI plugin add it to containers.
package struct GateHook: Hashable, Sendable {
    /// Path of the program in the runtime's mount namespace.
    package var path: String
    /// Path of the socket that the gate connects to, in the host's mount namespace.
    package var socket: String
    /// The time after which the runtime ends the hook, in whole seconds.
    package var timeout: Duration

    package init(path: String, socket: String, timeout: Duration) {
        (self.path, self.socket, self.timeout) = (path, socket, timeout)
    }

    /// The arguments, with the name of the program first.
    package func arguments(claim: String) -> [String] { ["nearside-gate", "--claim", claim, "--socket", socket] }
}
