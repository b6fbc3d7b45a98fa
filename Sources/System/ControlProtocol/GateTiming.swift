// SPDX-License-Identifier: Apache-2.0

/// The time-outs of a container that waits for its claim. Each party ends its wait before the one that waits for it, so that the reason
/// reaches the container's events.
package struct GateTiming: Hashable, Sendable {
    /// The time that `nearside-nri` holds the request of a gate.
    package let daemon: Duration
    /// The time that `nearside-gate` asks `nearside-nri`, which may be starting again.
    package let gate: Duration
    /// The time that the container runtime gives `nearside-gate`, in whole seconds (`timeout` of an OCI hook).
    package let hook: Duration

    package static let standard = GateTiming(daemon: .seconds(15), gate: .seconds(20), hook: .seconds(30))

    /// The time-outs are constants of the programs, in this order.
    package init(daemon: Duration, gate: Duration, hook: Duration) {
        precondition(.zero < daemon && daemon < gate && gate < hook, "daemon < gate < hook")
        (self.daemon, self.gate, self.hook) = (daemon, gate, hook)
    }
}
