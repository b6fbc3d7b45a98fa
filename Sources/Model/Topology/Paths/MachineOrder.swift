// SPDX-License-Identifier: Apache-2.0

import Hardware

/// An order of devices that is equal on all machines of one type: by NUMA node, host bridge, and the slots below. Bus numbers change with
/// other cards in the machine, but slots do not.
struct MachineOrder: Comparable {
    private var key: [UInt64]

    init(_ device: Device, numaNode: Int?) {
        guard let function = device.function else {
            key = [.max]
            return
        }
        let root = function.hostBridge.flatMap(Self.number) ?? UInt64(function.address.domain) << 8
        key = [numaNode.map { UInt64(clamping: $0) } ?? .max - 1, root]
        key += function.bridges.map { UInt64($0.device) << 3 | UInt64($0.function) }
        key.append(UInt64(function.address.device) << 3 | UInt64(function.address.function))
        key.append(UInt64(clamping: device.subFunction?.number ?? 0))
    }

    /// Returns domain and bus of `pci0000:44` as one number.
    private static func number(_ hostBridge: String) -> UInt64? {
        let parts = hostBridge.dropFirst(3).split(separator: ":")
        guard parts.count == 2, let domain = UInt64(parts[0], radix: 16), let bus = UInt64(parts[1], radix: 16) else { return nil }
        return domain << 8 | bus
    }

    static func < (left: Self, right: Self) -> Bool { left.key.lexicographicallyPrecedes(right.key) }
}

extension [Device] {
    /// Sorts devices by the machine's own order, and equal ones by bus address.
    func inMachineOrder(hint: Hint?) -> [Device] {
        map { device in
            (MachineOrder(device, numaNode: device.numaNode ?? device.function.flatMap { hint?.places[$0.address]?.numaNode }), device)
        }
        .sorted { $0.0 == $1.0 ? Device.areInOrder($0.1, $1.1) : $0.0 < $1.0 }
        .map(\.1)
    }
}
