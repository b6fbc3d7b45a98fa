// SPDX-License-Identifier: Apache-2.0

import CPCI

/// Names of devices for people, from libpci and the distribution's pci.ids.
///
/// Nothing decides on them: they depend on the version of a text file.
package final class PCINames {
    private let access: UnsafeMutablePointer<pci_access>?

    package init() {
        access = CPCI_open_names(nil)
    }

    deinit {
        if let access { CPCI_close(access) }
    }

    /// `NVIDIA Corporation GH100 [H100 SXM5 80GB]`; nil when the database does not know the ids.
    package func name(vendor: String, device: String) -> String? {
        guard let access, let vendor = Int32(vendor, radix: 16), let device = Int32(device, radix: 16) else {
            return nil
        }
        var buffer = [CChar](repeating: 0, count: 256)
        guard CPCI_name(access, &buffer, Int32(buffer.count), vendor, device) != 0 else { return nil }
        return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } }
    }
}
