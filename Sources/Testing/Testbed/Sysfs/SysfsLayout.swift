// SPDX-License-Identifier: Apache-2.0

package import Hardware

/// The files that a kernel would show for a machine: `/sys`, and the required part of `/proc`.
///
/// Discovery of such a tree gives the same machine, without facts that no file has: addresses of interfaces, their
/// permanent hardware addresses, bounds of the MTU, alternative names and firmware.
package struct SysfsLayout: Sendable {
    package enum Entry: Hashable, Sendable {
        case directory(String)
        case file(String, [UInt8])
        /// A symbolic link: its path and its target.
        case link(String, String)
    }

    /// Entries in order of creation: a folder precedes its content. Paths are relative.
    package private(set) var entries: [Entry] = []

    package init(_ machine: Machine) {
        directory("sys/bus/pci/devices")
        for name in ["net", "infiniband", "infiniband_verbs", "infiniband_mad"] { directory("sys/class/\(name)") }
        if let name = machine.name {
            file("sys/devices/virtual/dmi/id/product_name", name)
        }
        if let processor = machine.processor { file("proc/cpuinfo", processor.information) }
        for node in machine.numaNodes {
            let folder = "sys/devices/system/node/node\(node.id)"
            directory(folder)
            if !node.distances.isEmpty {
                file("\(folder)/distance", node.distances.map(String.init).joined(separator: " "))
            }
        }
        let paths = Dictionary(
            machine.functions.map { ($0.address, Self.folder(of: $0)) }, uniquingKeysWith: { first, _ in first })
        let indices = Dictionary(
            machine.allNetdevs.map { ($0.name, $0.index) }, uniquingKeysWith: { first, _ in first })
        for function in machine.functions {
            layOut(function, in: Self.folder(of: function), paths: paths, indices: indices)
        }
        for netdev in machine.virtualNetdevs {
            layOut(netdev, in: "sys/devices/virtual/net/\(netdev.name)", hasDevice: false, indices: indices)
        }
        for device in machine.virtualRDMADevices { layOut(device, below: "sys/devices/virtual", hasDevice: false) }
        layOutAcceleratorLinks(of: machine)
        layOutSharedNodes(of: machine)
        layOutUplinks(of: machine)
    }

    private static func folder(of function: PCIFunction) -> String {
        // Captures without a hierarchy have the functions directly on the bus.
        function.path.isEmpty
            ? "sys/bus/pci/devices/\(function.address)"
            : "sys/devices/\(function.path.joined(separator: "/"))/\(function.address)"
    }

    mutating func directory(_ path: String) { entries.append(.directory(path)) }

    mutating func file(_ path: String, _ text: String) { entries.append(.file(path, [UInt8]("\(text)\n".utf8))) }

    mutating func file(_ path: String, _ number: Int?) {
        if let number { file(path, String(number)) }
    }

    /// A link between two paths of the tree, relative as in sysfs.
    mutating func link(_ path: String, to target: String) {
        let up = path.split(separator: "/").count - 1
        entries.append(.link(path, String(repeating: "../", count: up) + target))
    }

    /// A link with a verbatim target.
    mutating func link(_ path: String, relative target: String) { entries.append(.link(path, target)) }

    private mutating func layOut(
        _ function: PCIFunction, in folder: String, paths: [PCIAddress: String], indices: [String: Int]
    ) {
        directory(folder)
        if !function.path.isEmpty {
            link("sys/bus/pci/devices/\(function.address)", to: folder)
        }
        file("\(folder)/vendor", "0x\(function.vendor)")
        file("\(folder)/device", "0x\(function.device)")
        file("\(folder)/class", "0x\(function.classCode)")
        file("\(folder)/uevent", Self.event(function))
        file("\(folder)/numa_node", String(function.numaNode ?? -1))
        layOut(function.link, as: "current", in: folder)
        layOut(function.maximalLink, as: "max", in: folder)
        if let driver = function.driver {
            directory("sys/bus/pci/drivers/\(driver)")
            link("\(folder)/driver", to: "sys/bus/pci/drivers/\(driver)")
        }
        if let subsystem = function.subsystem?.split(separator: ":"), subsystem.count == 2 {
            file("\(folder)/subsystem_vendor", "0x\(subsystem[0])")
            file("\(folder)/subsystem_device", "0x\(subsystem[1])")
        }
        if let acs = function.acs { entries.append(.file("\(folder)/config", Self.configuration(of: function, acs))) }
        if let group = function.iommuGroup {
            directory("sys/kernel/iommu_groups/\(group)")
            link("\(folder)/iommu_group", to: "sys/kernel/iommu_groups/\(group)")
        }
        file("\(folder)/sriov_totalvfs", function.sriov?.total)
        file("\(folder)/sriov_numvfs", function.sriov?.enabled)
        if let physical = function.physicalFunction, let target = paths[physical] {
            link("\(folder)/physfn", to: target)
            if let index = function.virtualFunctionIndex { link("\(target)/virtfn\(index)", to: folder) }
        }
        for netdev in function.netdevs {
            layOut(netdev, in: "\(folder)/net/\(netdev.name)", hasDevice: true, indices: indices)
        }
        for device in function.rdmaDevices { layOut(device, below: folder, hasDevice: true) }
        for part in function.subFunctions {
            let place = "\(folder)/\(part.name)"
            directory(place)
            file("\(place)/sfnum", part.number)
            for netdev in part.netdevs {
                layOut(netdev, in: "\(place)/net/\(netdev.name)", hasDevice: true, indices: indices)
            }
            for device in part.rdmaDevices { layOut(device, below: place, hasDevice: true) }
        }
        layOutAccelerator(function, in: folder)
    }

    private mutating func layOut(_ link: PCILink?, as name: String, in folder: String) {
        guard let link else { return }
        file("\(folder)/\(name)_link_speed", "\(link.gigatransfers) GT/s PCIe")
        file("\(folder)/\(name)_link_width", String(link.lanes))
    }

    /// The `uevent` file in the format of the PCI core.
    private static func event(_ function: PCIFunction) -> String {
        var lines = function.driver.map { ["DRIVER=\($0)"] } ?? []
        // The kernel prints the class without leading zeros, with at least four digits.
        let code = String(UInt32(function.classCode, radix: 16) ?? 0, radix: 16).uppercased()
        lines.append("PCI_CLASS=" + String(repeating: "0", count: max(0, 4 - code.count)) + code)
        lines.append("PCI_ID=\(function.vendor.uppercased()):\(function.device.uppercased())")
        if let subsystem = function.subsystem { lines.append("PCI_SUBSYS_ID=\(subsystem.uppercased())") }
        lines.append("PCI_SLOT_NAME=\(function.address)")
        return lines.joined(separator: "\n")
    }

    /// Configuration space of a bridge with a PCI Express capability, and Access Control Services if any
    /// of them is enabled (PCI Local Bus 3.0, section 6.1; PCI Express Base 5.0, section 7.7.8).
    private static func configuration(of function: PCIFunction, _ acs: ACSControl) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 4096)
        func put(_ value: UInt32, at offset: Int, count: Int) {
            for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
        }
        put(UInt32(function.vendor, radix: 16) ?? 0, at: 0x00, count: 2)
        put(UInt32(function.device, radix: 16) ?? 0, at: 0x02, count: 2)
        put(1 << 4, at: 0x06, count: 2)
        put(UInt32(function.classCode, radix: 16) ?? 0, at: 0x09, count: 3)
        put(function.isBridge ? 1 : 0, at: 0x0e, count: 1)
        put(0x40, at: 0x34, count: 1)
        put(0x0010, at: 0x40, count: 2)
        if !acs.isEmpty {
            put(0x0001_000d, at: 0x100, count: 4)
            put(UInt32(acs.rawValue), at: 0x104, count: 2)
            put(UInt32(acs.rawValue), at: 0x106, count: 2)
        }
        return bytes
    }

    /// Default routes in the form of `/proc/net/route`: the only trace of an uplink in a tree.
    private mutating func layOutUplinks(of machine: Machine) {
        let uplinks = machine.allNetdevs.filter(\.isUplink)
        guard !uplinks.isEmpty else { return }
        var table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
        for netdev in uplinks {
            table += "\n\(netdev.name)\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0"
        }
        file("proc/net/route", table)
    }
}
