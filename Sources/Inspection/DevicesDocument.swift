// SPDX-License-Identifier: Apache-2.0

import Discovery
package import Hardware
import Topology

/// `nearside devices -o json`: the form is an interface (`api/inspection.md`).
package struct DevicesDocument: Hashable, Sendable, Codable {
    package var devices: [Entry]

    package struct Entry: Hashable, Sendable, Codable {
        package var address: String
        package var kind: Device.Kind
        package var vendorID: String?
        package var deviceID: String?
        package var classID: String?
        package var driver: String?
        /// Absent when unknown.
        package var numaNode: Int?
        package var pcieRoot: String?
        package var bridges: [String]
        package var netdevs: [String]
        package var rdmaDevices: [String]
        package var charDevices: [String]
        package var role: String
    }

    package init(_ machine: Machine) {
        let fabric = Fabric(machine)
        devices = machine.devices.map { device in
            Entry(
                address: device.address, kind: device.kind, vendorID: device.function?.vendor,
                deviceID: device.function?.device, classID: device.function?.classCode,
                driver: device.function?.driver, numaNode: device.numaNode, pcieRoot: device.function?.pcieRoot,
                bridges: device.function?.bridges.map(\.description) ?? [],
                netdevs: device.netdevs.map(\.name), rdmaDevices: device.rdmaDevices.map(\.name),
                charDevices: device.charDevices.map(\.path), role: fabric.role(of: device).rawValue)
        }
    }

    /// A table for people. Names of devices are looked up only here.
    package func table(_ machine: Machine) -> String {
        let names = PCINames()
        var table = TextTable(["ADDRESS", "KIND", "ROLE", "NUMA", "DRIVER", "INTERFACE", "RDMA", "DEVICE"])
        for entry in devices {
            let name = names.name(vendor: entry.vendorID ?? "", device: entry.deviceID ?? "")
            let ids = entry.vendorID.map { "\($0):\(entry.deviceID ?? "")" } ?? "virtual"
            table.add([
                entry.address, entry.kind.rawValue, entry.role, entry.numaNode.map(String.init) ?? "?",
                entry.driver ?? "-", entry.netdevs.isEmpty ? "-" : entry.netdevs.joined(separator: ","),
                entry.rdmaDevices.isEmpty ? "-" : entry.rdmaDevices.joined(separator: ","),
                name ?? ids,
            ])
        }
        return devices.isEmpty ? "no accelerators and no NICs\n" : table.text
    }
}
