// SPDX-License-Identifier: Apache-2.0

/// The carrier that user space takes from an interface (`ip link set protodown`).
package struct ProtoDown: Hashable, Sendable, Codable {
    package var isOn: Bool
    /// One bit for each program that requests it; the kernel clears protodown only if no bit is set.
    package var reasons: UInt32

    package init(isOn: Bool = false, reasons: UInt32 = 0) {
        self.isOn = isOn
        self.reasons = reasons
    }
}

/// Ids of the XDP programs on an interface, one for each mode (linux/if_link.h, IFLA_XDP_).
package struct XDPPrograms: Hashable, Sendable, Codable {
    /// The mode of an XDP attachment.
    package enum Mode: CaseIterable, Sendable {
        case generic, driver, hardware
    }

    package var generic: UInt32?
    package var driver: UInt32?
    package var hardware: UInt32?

    package init() {}

    package subscript(mode: Mode) -> UInt32? {
        switch mode {
        case .generic: generic
        case .driver: driver
        case .hardware: hardware
        }
    }

    /// The modes in which the program differs from the other set.
    package func foreign(to other: XDPPrograms) -> [Mode] {
        Mode.allCases.filter { mode in self[mode].map { $0 != other[mode] } ?? false }
    }
}
