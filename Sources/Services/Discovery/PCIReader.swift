// SPDX-License-Identifier: Apache-2.0

import Glibc
import Hardware

/// Reads PCI functions from sysfs.
struct PCIReader {
    let sysfs: Sysfs
    private let paths = PathCache()
    /// Functions with an interface or an RDMA device: NICs of any class.
    let owners: Set<PCIAddress>

    init(sysfs: Sysfs, owners: Set<PCIAddress>) {
        self.sysfs = sysfs
        self.owners = owners
    }

    static let bus = "sys/bus/pci/devices"

    /// All functions in bus order. Skips entries without a valid address or ids.
    func functions() -> [PCIFunction] {
        guard let bus = sysfs.folder(Self.bus) else { return [] }
        var functions: [PCIFunction] = []
        for name in sysfs.list(Self.bus) {
            guard let address = PCIAddress(parsing: name) else { continue }
            if let function = function(at: address, named: name, bus) { functions.append(function) }
        }
        functions.sort { $0.address < $1.address }
        numberVirtualFunctions(&functions)
        return functions
    }

    private func function(at address: PCIAddress, named name: String, _ bus: borrowing SysfsFolder) -> PCIFunction? {
        // The function was removed after the bus was listed.
        guard let folder = sysfs.folder("\(Self.bus)/\(name)") else { return nil }
        guard var function = identity(of: address, folder) else {
            // Some captures have empty folders of bridges.
            if !folder.exists("class") { return nil }
            sysfs.warn("\(folder.path) has no valid vendor, device and class; the function is skipped")
            return nil
        }
        function.path = bus.withTarget(of: name) { paths.path($0) } ?? []
        function.numaNode = folder.integer("numa_node", in: -1...(1 << 20)).flatMap { $0 < 0 ? nil : $0 }
        // A server has hundreds of functions that are neither accelerators nor NICs nor bridges.
        guard function.isBridge || Catalog.acceleratorFamily(function) != nil || Catalog.isNIC(function) || owners.contains(address)
        else { return function }
        function.physicalFunction = folder.linkedFunction("physfn")
        // A virtual function has the link of its physical function.
        if function.physicalFunction == nil {
            function.link = link(folder, "current")
            function.maximalLink = link(folder, "max")
        }
        guard !function.isBridge else { return function }
        function.iommuGroup = folder.linkName("iommu_group").flatMap { Int($0) }
        if function.physicalFunction == nil, let total = folder.integer("sriov_totalvfs", in: 0...(1 << 16)), total > 0 {
            function.sriov = SRIOV(total: total, enabled: folder.integer("sriov_numvfs", in: 0...total) ?? 0)
        }
        return function
    }

    /// Ids and driver, from the one file with all of them, or else from single files.
    private func identity(of address: PCIAddress, _ folder: borrowing SysfsFolder) -> PCIFunction? {
        if let function = folder.event(of: address) { return function }
        guard let vendor = folder.id("vendor", digits: 4), let device = folder.id("device", digits: 4),
            let classCode = folder.id("class", digits: 6)
        else { return nil }
        var function = PCIFunction(address: address, vendor: vendor, device: device, classCode: classCode)
        if let vendor = folder.id("subsystem_vendor", digits: 4), let device = folder.id("subsystem_device", digits: 4) {
            function.subsystem = "\(vendor):\(device)"
        }
        function.driver = folder.linkName("driver")
        return function
    }

    /// Parses `16.0 GT/s PCIe` and `16`. A link that is down or absent has `Unknown` and 0, or 255 if the device does not
    /// respond.
    private func link(_ folder: borrowing SysfsFolder, _ name: String) -> PCILink? {
        let isUnknown = UInt8(ascii: "U")
        guard
            let speed = folder.parse("\(name)_link_speed", { bytes in bytes.first == isUnknown ? 0 : bytes.leadingNumber }),
            (0.1...1000).contains(speed), let lanes = folder.integer("\(name)_link_width", in: 0...255), (1...32).contains(lanes)
        else { return nil }
        return PCILink(gigatransfers: speed, lanes: lanes)
    }

    /// Numbers the virtual functions: each links to its physical function, which links back by number.
    private func numberVirtualFunctions(_ functions: inout [PCIFunction]) {
        var indices: [PCIAddress: Int] = [:]
        for function in functions {
            guard let sriov = function.sriov, sriov.enabled > 0, let folder = sysfs.folder("\(Self.bus)/\(function.address)")
            else { continue }
            for index in 0..<sriov.enabled {
                if let address = folder.linkedFunction("virtfn\(index)") { indices[address] = index }
            }
        }
        guard !indices.isEmpty else { return }
        for index in functions.indices { functions[index].virtualFunctionIndex = indices[functions[index].address] }
    }
}

extension SysfsFolder {
    /// Parses a function's `uevent`: `DRIVER=`, `PCI_CLASS=30200`, `PCI_ID=10DE:2330`, `PCI_SUBSYS_ID=` (the PCI
    /// core writes it, drivers/pci/pci-driver.c). Nil if a line is missing or malformed.
    fileprivate func event(of address: PCIAddress) -> PCIFunction? {
        var (driver, ids, subsystem, classCode): (String?, (String, String)?, (String, String)?, String?)
        func pair(_ bytes: ArraySlice<UInt8>) -> (String, String)? {
            guard bytes.count == 9, bytes[bytes.startIndex + 4] == UInt8(ascii: ":") else { return nil }
            guard let left = bytes.prefix(4).hexadecimal(digits: 4), let right = bytes.suffix(4).hexadecimal(digits: 4)
            else { return nil }
            return (left, right)
        }
        _ = parse("uevent") { bytes in
            var rest = bytes
            while !rest.isEmpty {
                let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
                let line = rest[..<end]
                rest = rest[min(end + 1, rest.endIndex)...]
                if let value = line.dropping("DRIVER=") {
                    driver = String(decoding: value, as: UTF8.self)
                } else if let value = line.dropping("PCI_CLASS="), (1...6).contains(value.count) {
                    let digits = value.hexadecimal(digits: value.count)
                    classCode = digits.map { String(repeating: "0", count: 6 - value.count) + $0 }
                } else if let value = line.dropping("PCI_ID=") {
                    ids = pair(value)
                } else if let value = line.dropping("PCI_SUBSYS_ID=") {
                    subsystem = pair(value)
                }
            }
            return true
        }
        guard let ids, let classCode else { return nil }
        var function = PCIFunction(address: address, vendor: ids.0, device: ids.1, classCode: classCode, driver: driver)
        // Zeros mean no subsystem.
        if let subsystem, subsystem != ("0000", "0000") { function.subsystem = "\(subsystem.0):\(subsystem.1)" }
        return function
    }
}

/// The folders from `/sys/devices` to a function. Hundreds of virtual functions share one path, which is stored once.
private final class PathCache {
    private var target: [UInt8] = []
    private var path: [String] = []

    /// Parses the target of a bus entry: `../../../devices/…`. A plain folder of a capture has none.
    func path(_ bytes: ArraySlice<UInt8>) -> [String] {
        let end = bytes.lastIndex(of: UInt8(ascii: "/")) ?? bytes.startIndex
        if !target.isEmpty, bytes[..<end].elementsEqual(target) { return path }
        let parts = bytes[..<end].split(separator: UInt8(ascii: "/"))
        guard let start = parts.lastIndex(where: { $0.count == 7 && $0.dropping("devices") != nil }) else { return [] }
        target = Array(bytes[..<end])
        path = parts[(start + 1)...].map { String(decoding: $0, as: UTF8.self) }
        return path
    }
}
