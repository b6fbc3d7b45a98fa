// SPDX-License-Identifier: Apache-2.0

/// Facts of the host that a plan depends on, read before the lock of the plans is taken.
package struct PlanningFacts: Sendable {
    /// Names that vendors' own tools gave to accelerators, by the name of the device.
    package var vendorNames: [String: String] = [:]
    /// Facts that drivers report, by the interface's name.
    package var interfaces: [String: InterfaceFacts] = [:]
    /// True when an RDMA device is in one namespace only.
    package var movesRDMA = false

    package init(vendorNames: [String: String] = [:], interfaces: [String: InterfaceFacts] = [:], movesRDMA: Bool = false) {
        self.vendorNames = vendorNames
        self.interfaces = interfaces
        self.movesRDMA = movesRDMA
    }
}
