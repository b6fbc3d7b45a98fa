// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// The state of a NIC's link to its network.
package enum LinkState: Hashable, Sendable {
    case up, down
    /// The NIC is not enabled, or does not report its state.
    case unknown
}

extension Device {
    /// The state of the RDMA ports, where these are more than a view of the interface; otherwise that of the interfaces.
    package var link: LinkState {
        let ports = rdmaDevices.flatMap(\.ports).filter { $0.linkLayer != "Ethernet" && $0.state != nil }
        if !ports.isEmpty { return ports.contains { $0.state == "ACTIVE" } ? .up : .down }
        let enabled = netdevs.filter { $0.isEnabled == true && $0.hasCarrier != nil }
        if enabled.isEmpty { return .unknown }
        return enabled.contains { $0.hasCarrier == true } ? .up : .down
    }
}
