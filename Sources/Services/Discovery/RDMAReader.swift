// SPDX-License-Identifier: Apache-2.0

import Hardware

/// Reads RDMA devices from sysfs.
struct RDMAReader {
    let sysfs: Sysfs
    let ownerOfNetdev: [String: Owner?]

    /// The number of consecutive empty entries that end a GID table, which is filled from the start and can have 256 entries.
    private static let emptyEntries = 4
    private static let mostEntries = 64
    private static let mostPorts = 255

    /// RDMA devices by owner; nil for a device on a virtual interface.
    func devices() -> [Owner?: [RDMADevice]] {
        let entries = sysfs.devices(ofClass: "infiniband")
        guard !entries.isEmpty else { return [:] }
        let nodes = charDevices()
        var devices: [Owner?: [RDMADevice]] = [:]
        for entry in entries {
            guard let folder = sysfs.folder(entry.folder) else { continue }
            var device = RDMADevice(name: entry.name)
            device.nodeType = folder.parse("node_type") { Self.label($0) }
            device.firmware = folder.text("fw_ver")
            device.nodeGUID = folder.text("node_guid").flatMap(Self.known)
            device.systemImageGUID = folder.text("sys_image_guid").flatMap(Self.known)
            // Ports are numbered from 1 without gaps (InfiniBand Architecture 1.4, section 3.5.1).
            while device.ports.count < Self.mostPorts, let port = port(device.ports.count + 1, folder) { device.ports.append(port) }
            device.charDevices = nodes[entry.name] ?? []
            // Software RDMA belongs to the device of its interface.
            let netdev = device.ports.lazy.compactMap(\.netdev).first ?? (entry.owner == nil ? folder.text("parent") : nil)
            if entry.owner == nil, let netdev, !device.ports.isEmpty, device.ports[0].netdev == nil { device.ports[0].netdev = netdev }
            let owner = entry.owner ?? netdev.flatMap { ownerOfNetdev[$0] ?? nil }
            devices[owner, default: []].append(device)
        }
        return devices
    }

    /// uverbs, umad and issm nodes, by RDMA device.
    private func charDevices() -> [String: [CharDevice]] {
        var nodes: [String: [CharDevice]] = [:]
        for name in ["infiniband_verbs", "infiniband_mad"] {
            // Both classes also contain a file, abi_version.
            for entry in sysfs.devices(ofClass: name, owned: false) where entry.name.last?.isNumber == true {
                guard let folder = sysfs.folder(entry.folder), let device = folder.text("ibdev"),
                    let node = folder.node("dev", at: "/dev/infiniband/\(entry.name)")
                else { continue }
                nodes[device, default: []].append(node)
            }
        }
        return nodes
    }

    /// Parses `4: ACTIVE`, `Ethernet`, `100 Gb/sec (4X EDR)`, `0x1`; nil if the port does not exist.
    private func port(_ number: Int, _ folder: borrowing SysfsFolder) -> RDMAPort? {
        let place = "ports/\(number)"
        var port = RDMAPort(number: number)
        port.state = folder.parse("\(place)/state") { Self.label($0) }
        // For a device that is neither (EFA), sysfs has "Unknown" (drivers/infiniband/core/sysfs.c) and libibverbs "Unspecified",
        // which is the correct value.
        port.linkLayer = folder.text("\(place)/link_layer").map { $0 == "Unknown" ? "Unspecified" : $0 }
        guard port.state != nil || port.linkLayer != nil || folder.exists(place) else { return nil }
        port.rate = folder.parse("\(place)/rate") { $0.leadingNumber }.flatMap { $0 > 0 ? $0 : nil }
        switch port.linkLayer {
        case "InfiniBand":
            port.lid = folder.parse("\(place)/lid") { bytes in bytes.firstLine.flatMap { Int($0.dropFirst(2), radix: 16) } }
                .flatMap { $0 > 0 ? $0 : nil }
        case "Ethernet": port.netdev = folder.text("\(place)/gid_attrs/ndevs/0")
        default: break
        }
        port.gids = gids(place, folder)
        return port
    }

    private func gids(_ place: String, _ folder: borrowing SysfsFolder) -> [GID] {
        var gids: [GID] = []
        var index = 0
        var empty = 0
        while index < Self.mostEntries, empty < Self.emptyEntries, let value = folder.text("\(place)/gids/\(index)") {
            if let value = Self.known(value) {
                empty = 0
                gids.append(GID(index: index, value: value, type: folder.text("\(place)/gid_attrs/types/\(index)")))
            } else {
                empty += 1
            }
            index += 1
        }
        return gids
    }

    /// The text after a number and a colon.
    private static func label(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let rest = bytes[(colon + 1)...].drop { $0 == UInt8(ascii: " ") }
        return rest.isEmpty ? nil : String(decoding: rest, as: UTF8.self)
    }

    /// Nil for an identifier of zeros, which means none.
    private static func known(_ identifier: String) -> String? {
        identifier.utf8.allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ":") } ? nil : identifier
    }
}
