// SPDX-License-Identifier: Apache-2.0

/// Names of vendors and devices as pci.ids has them. They depend on the version of a text file: they are published for those
/// who select by them, as the classes written for DRANET do, and nothing of ours decides on them.
package struct PCINameTable: Hashable, Sendable {
    package var vendors: [String: String]
    /// By vendor and device: `1d0f:efa1`.
    package var devices: [String: String]

    package init(vendors: [String: String] = [:], devices: [String: String] = [:]) {
        self.vendors = vendors
        self.devices = devices
    }

    package func vendor(_ function: PCIFunction) -> String? { vendors[function.vendor] }
    package func device(_ function: PCIFunction) -> String? { devices["\(function.vendor):\(function.device)"] }
}
