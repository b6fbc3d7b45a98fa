// SPDX-License-Identifier: Apache-2.0

/// Names of vendors and devices in pci.ids. They depend on the version of that file: they are published for device classes that select by
/// them, such as those written for DRANET, and no decision of this driver depends on them.
package struct PCINameTable: Hashable, Sendable {
    package var vendors: [String: String]
    /// Names by vendor and device id: `1d0f:efa1`.
    package var devices: [String: String]

    package init(vendors: [String: String] = [:], devices: [String: String] = [:]) {
        self.vendors = vendors
        self.devices = devices
    }

    /// Returns the name of a function's vendor.
    package func vendor(_ function: PCIFunction) -> String? { vendors[function.vendor] }
    /// Returns the name of a function's device.
    package func device(_ function: PCIFunction) -> String? { devices["\(function.vendor):\(function.device)"] }
}
