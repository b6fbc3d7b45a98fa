// SPDX-License-Identifier: Apache-2.0

/// The time-outs of a container that waits for its claim. Each time-out is shorter than the time-out of the party that waits for it, so
/// that the reason reaches the container's events.
package struct GateTiming: Hashable, Sendable {
    /// The time-out for a gate's request in `nearside-nri`.
    package let daemon: Duration
    /// The time-out of `nearside-gate`, which retries while `nearside-nri` restarts.
    package let gate: Duration
    /// The runtime's time-out for `nearside-gate`, in whole seconds (`timeout` of an OCI hook).
    package let hook: Duration

    package static let standard = GateTiming(daemon: .seconds(15), gate: .seconds(20), hook: .seconds(30))

    /// - Precondition: the time-outs are in ascending order.
    package init(daemon: Duration, gate: Duration, hook: Duration) {
        precondition(.zero < daemon && daemon < gate && gate < hook, "daemon < gate < hook")
        (self.daemon, self.gate, self.hook) = (daemon, gate, hook)
    }
}
