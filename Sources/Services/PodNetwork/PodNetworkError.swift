// SPDX-License-Identifier: Apache-2.0

/// An interface that could not be moved or set up: which, at what step, and the kernel's reason.
package struct PodNetworkError: Error, Hashable, Sendable, CustomStringConvertible {
    package var interface: String
    package var step: String
    package var reason: String
    /// True when nothing has failed: what it waits for comes by itself.
    package var isPending = false

    package init(_ interface: String, _ step: String, _ reason: some CustomStringConvertible) {
        self.interface = interface
        self.step = step
        self.reason = "\(reason)"
    }

    package var description: String { "interface \(interface): \(step): \(reason)" }
}
