// SPDX-License-Identifier: Apache-2.0

import CPCI
package import Hardware
import Primitives

/// Human-readable names of devices, from libpci and the distribution's pci.ids.
///
/// No decision depends on these names, because they vary with the version of the file.
// SAFETY: libpci is open as long as the object lives, and is used by one thread at a time.
@safe package final class PCINames {
    private let access: UnsafeMutablePointer<pci_access>?

    package init() {
        unsafe access = unsafe CPCI_open_names(nil)
    }

    deinit {
        if let access = unsafe access { unsafe CPCI_close(access) }
    }

    /// `NVIDIA Corporation GH100 [H100 SXM5 80GB]`; nil if the database lacks the ids.
    package func name(vendor: String, device: String) -> String? {
        guard let vendor = Int32(vendor, radix: 16), let device = Int32(device, radix: 16) else { return nil }
        return unsafe text { unsafe CPCI_name($0, &$1, Int32($1.count), vendor, device) }
    }

    /// Adds the names of a machine's functions that the table lacks.
    package func complete(_ table: inout PCINameTable, for machine: Machine) {
        for function in machine.functions where !function.isBridge {
            guard let vendor = Int32(function.vendor, radix: 16), let device = Int32(function.device, radix: 16) else { continue }
            if table.vendors[function.vendor] == nil {
                table.vendors[function.vendor] = unsafe text { unsafe CPCI_part_name($0, &$1, Int32($1.count), vendor, -1) }
            }
            let key = "\(function.vendor):\(function.device)"
            if table.devices[key] == nil {
                table.devices[key] = unsafe text { unsafe CPCI_part_name($0, &$1, Int32($1.count), vendor, device) }
            }
        }
    }

    private func text(_ look: (UnsafeMutablePointer<pci_access>, inout [CChar]) -> Int32) -> String? {
        guard let access = unsafe access else { return nil }
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe look(access, &buffer) != 0 else { return nil }
        return String(zeroTerminated: buffer)
    }
}
