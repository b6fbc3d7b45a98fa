// SPDX-License-Identifier: Apache-2.0

import CPCI
import Hardware

/// Configuration space, read by libpci.
///
/// The kernel shows the first 64 bytes to every process, and the rest only with CAP_SYS_ADMIN. Without that capability, Access Control
/// Services are unknown, which does not mean disabled.
// SAFETY: libpci is open as long as the value lives.
@safe struct ConfigSpace: ~Copyable {
    private let access: UnsafeMutablePointer<pci_access>

    /// Nil if libpci cannot read the host's bus.
    init?(root: HostRoot) {
        guard let access = unsafe CPCI_open_bus(root("sys/bus/pci")) else { return nil }
        unsafe self.access = unsafe access
    }

    deinit { unsafe CPCI_close(access) }

    func readAccessControl(of functions: inout [PCIFunction]) {
        for index in functions.indices where functions[index].isBridge {
            let address = functions[index].address
            // libpci stores a domain as an int.
            guard let domain = Int32(exactly: address.domain) else { continue }
            var control: UInt16 = 0
            let answer = unsafe CPCI_access_control(
                access, domain, Int32(address.bus), Int32(address.device), Int32(address.function), &control)
            switch answer {
            case 1: functions[index].acs = ACSControl(rawValue: control)
            case 0: functions[index].acs = []
            // If the read of one bridge is refused, the others are refused too.
            default: return
            }
        }
    }
}
