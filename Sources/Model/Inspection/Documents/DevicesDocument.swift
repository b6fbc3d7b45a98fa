// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import Topology

/// The document of `nearside devices -o json`, a stable interface (`api/inspection.md`).
package struct DevicesDocument: Hashable, Sendable, Codable {
    package var devices: [Entry]

    /// A device.
    package struct Entry: Hashable, Sendable, Codable {
        package var address: String
        package var kind: Device.Kind
        package var vendorID: String?
        package var deviceID: String?
        /// Name in pci.ids, for display: it depends on the version of that file.
        package var name: String?
        package var subsystemID: String?
        package var classID: String?
        package var driver: String?
        /// NUMA node; absent if unknown.
        package var numaNode: Int?
        package var pcieRoot: String?
        package var bridges: [String]
        package var link: PCILink?
        package var maximalLink: PCILink?
        /// The narrowest link on the path to the host bridge.
        package var narrowestLink: PCILink?
        package var iommuGroup: Int?
        package var sriov: SRIOV?
        package var physicalFunction: String?
        package var virtualFunctionIndex: Int?
        package var virtualFunctions: [String]
        package var subFunction: Int?
        package var netdevs: [String]
        package var rdmaDevices: [String]
        /// Details of ``netdevs``; ``rdma`` has the details of ``rdmaDevices``.
        package var interfaces: [Netdev]
        package var rdma: [RDMADevice]
        package var accelerator: AcceleratorFacts?
        package var charDevices: [String]
        package var role: String
        /// Reason for the role, for display.
        package var roleReason: String
        /// The reason why a NIC is not given to pods, for display; absent for other NICs and for accelerators.
        package var withheld: String?
    }

    /// - Parameter names: looks up a name in pci.ids; nil to omit names.
    package init(_ topology: MachineTopology, names: ((_ vendor: String, _ device: String) -> String?)? = nil) {
        let machine = topology.machine
        devices = machine.devices.map { device in
            let function = device.function
            let role = topology.role(of: device)
            return Entry(
                address: device.address, kind: device.kind, vendorID: function?.vendor, deviceID: function?.device,
                name: function.flatMap { names?($0.vendor, $0.device) },
                subsystemID: function?.subsystem, classID: function?.classCode, driver: function?.driver,
                numaNode: device.numaNode, pcieRoot: function?.pcieRoot, bridges: function?.bridges.map(\.description) ?? [],
                link: function?.link, maximalLink: function?.maximalLink,
                narrowestLink: function.flatMap(machine.narrowestLink), iommuGroup: function?.iommuGroup,
                sriov: function?.sriov, physicalFunction: function?.physicalFunction?.description,
                virtualFunctionIndex: function?.virtualFunctionIndex,
                virtualFunctions: function?.sriov == nil
                    ? [] : machine.virtualFunctions(of: function?.address).map(\.address.description),
                subFunction: device.subFunction?.number, netdevs: device.netdevs.map(\.name),
                rdmaDevices: device.rdmaDevices.map(\.name), interfaces: device.netdevs, rdma: device.rdmaDevices,
                accelerator: device.kind == .accelerator ? function?.accelerator : nil,
                charDevices: (device.charDevices + device.sharedCharDevices).map(\.path),
                role: role.role.rawValue, roleReason: role.reason, withheld: topology.withheld(device))
        }
    }

    /// The document as a table.
    package var table: String {
        var table = TextTable([
            "ADDRESS", "KIND", "ROLE", "NUMA", "LINK", "Gb/s", "STATE", "INTERFACE", "RDMA", "DRIVER", "DEVICE",
        ])
        for entry in devices {
            let ids = entry.vendorID.map { "\($0):\(entry.deviceID ?? "")" } ?? entry.interfaces.first?.kind ?? "virtual"
            table.add([
                entry.address, entry.kindText, entry.role, entry.numaNode.map(String.init) ?? "?", entry.linkText,
                entry.rate.map { String(Int($0)) } ?? "-", entry.state, Self.list(entry.netdevs), Self.list(entry.rdmaDevices),
                entry.driver ?? "-", entry.name ?? ids,
            ])
        }
        guard !devices.isEmpty else { return "no accelerators and no NICs\n" }
        // Devices whose role needs an explanation.
        let notable = devices.filter { $0.withheld != nil || $0.role == "general" && $0.roleReason != "no RDMA" }
        let reasons = Dictionary(grouping: notable) {
            "\($0.role)\($0.withheld.map { ", not given to pods: \($0)" } ?? ": \($0.roleReason)")"
        }
        return table.text
            + reasons.sorted { $0.key < $1.key }.map { "\($0.value.map(\.address).joined(separator: " ")) \($0.key)\n" }.joined()
    }

    private static func list(_ names: [String]) -> String { names.isEmpty ? "-" : names.joined(separator: ",") }
}

extension DevicesDocument.Entry {
    /// Kind with the part of a divided function: `nic vf3`.
    fileprivate var kindText: String {
        if let index = virtualFunctionIndex { return "\(kind.rawValue) vf\(index)" }
        if let subFunction { return "\(kind.rawValue) sf\(subFunction)" }
        if let sriov { return "\(kind.rawValue) pf \(sriov.enabled)/\(sriov.total)" }
        return physicalFunction == nil ? kind.rawValue : "\(kind.rawValue) vf"
    }

    /// Transfers and lanes of the link, `32x16`, followed by the maximum if it is higher.
    fileprivate var linkText: String {
        func text(_ link: PCILink) -> String {
            "\(link.gigatransfers == link.gigatransfers.rounded() ? String(Int(link.gigatransfers)) : String(link.gigatransfers))x\(link.lanes)"
        }
        guard let link else { return "-" }
        guard let maximalLink, maximalLink.gigabitsPerSecond > link.gigabitsPerSecond else { return text(link) }
        return "\(text(link))<\(text(maximalLink))"
    }

    /// Gb/s of the network ports.
    fileprivate var rate: Double? {
        rdma.flatMap(\.ports).compactMap(\.rate).max() ?? interfaces.compactMap(\.speed).max().map { Double($0) / 1000 }
    }

    fileprivate var state: String {
        rdma.flatMap(\.ports).compactMap(\.state).first?.lowercased() ?? interfaces.compactMap(\.state).first ?? "-"
    }
}
