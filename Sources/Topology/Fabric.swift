// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// What a NIC is there for.
package enum Role: String, Sendable, Codable {
    /// Takes part in pairing.
    case fabric
    /// Carries the node's own traffic: never published, never moved.
    case uplink
    /// Any other NIC.
    case general
    /// An accelerator.
    case compute
}

/// Which NICs of a machine make up the fabric that accelerators talk over.
///
/// Only one kind of NIC does: the most numerous among those that can do RDMA. A management
/// ConnectX or a storage NIC beside eight of another kind would otherwise take an accelerator's place.
package struct Fabric: Sendable {
    package let nics: [Device]

    private struct Kind: Hashable {
        var vendor: String
        var device: String
        var linkLayer: String?
    }

    package init(_ machine: Machine) {
        let candidates = machine.devices.filter { device in
            device.kind == .nic && !device.isUplink && device.function != nil && device.isRDMACapable
        }
        let kinds = Dictionary(grouping: candidates) { device in
            Kind(
                vendor: device.function?.vendor ?? "", device: device.function?.device ?? "",
                linkLayer: device.rdmaDevices.first?.ports.first?.linkLayer)
        }
        // Of two kinds of equal number the faster one; then the one that comes first on the bus.
        nics =
            kinds.values.max { left, right in
                (left.count, Self.rate(left), right[0].function?.address ?? Self.last)
                    < (right.count, Self.rate(right), left[0].function?.address ?? Self.last)
            } ?? []
    }

    private static let last = PCIAddress(domain: .max, bus: .max, device: 31, function: 7)

    private static func rate(_ devices: [Device]) -> Double {
        devices.flatMap(\.rdmaDevices).flatMap(\.ports).compactMap(\.rate).max() ?? 0
    }

    package func role(of device: Device) -> Role {
        if device.kind == .accelerator { return .compute }
        if device.isUplink { return .uplink }
        return nics.contains { $0.address == device.address } ? .fabric : .general
    }
}
