// SPDX-License-Identifier: Apache-2.0

import Hardware
import Linux

/// Reads PCI functions from sysfs.
struct PCIReader {
    let root: HostRoot

    private static let bus = "sys/bus/pci/devices"

    /// All functions in bus order. An entry that is no address, or lacks its ids, is left out.
    func functions() -> [PCIFunction] {
        root.list(Self.bus).compactMap { name in
            PCIAddress(parsing: name).flatMap { function(at: $0, named: name) }
        }.sorted { $0.address < $1.address }
    }

    private func function(at address: PCIAddress, named name: String) -> PCIFunction? {
        let folder = "\(Self.bus)/\(name)"
        guard let vendor = id(folder + "/vendor", digits: 4), let device = id(folder + "/device", digits: 4),
            let classCode = id(folder + "/class", digits: 6)
        else { return nil }
        var function = PCIFunction(
            address: address, vendor: vendor, device: device, classCode: classCode, path: path(of: folder))
        if let node = root.integer(folder + "/numa_node"), node >= 0 { function.numaNode = node }
        function.driver = Files.linkTarget(root(folder + "/driver")).flatMap(lastComponent)
        function.link = link(folder)
        function.physicalFunction = Files.linkTarget(root(folder + "/physfn"))
            .flatMap(lastComponent).flatMap { PCIAddress(parsing: $0) }
        return function
    }

    /// `0x10de` without its prefix, in lower case.
    private func id(_ file: String, digits: Int) -> String? {
        guard let text = root.value(file), text.hasPrefix("0x") else { return nil }
        let number = text.dropFirst(2).lowercased()
        guard number.utf8.count == digits, UInt32(number, radix: 16) != nil else { return nil }
        return number
    }

    /// The folders between `/sys/devices` and the function's own. The entry of the bus is a link to
    /// `../../../devices/…`; a capture may hold a plain folder instead, which tells no path.
    private func path(of folder: String) -> [String] {
        guard let target = Files.linkTarget(root(folder)) else { return [] }
        let parts = target.split(separator: "/").map(String.init)
        guard let start = parts.lastIndex(of: "devices"), start < parts.endIndex - 1 else { return [] }
        return Array(parts[(start + 1)..<(parts.endIndex - 1)])
    }

    /// `16.0 GT/s PCIe` and `16`; a link that is down or not there has neither.
    private func link(_ folder: String) -> PCILink? {
        guard let speed = root.value(folder + "/current_link_speed"),
            let number = speed.split(separator: " ").first.flatMap({ Double($0) }), number > 0, number.isFinite,
            let lanes = root.integer(folder + "/current_link_width"), (1...32).contains(lanes)
        else { return nil }
        return PCILink(gigatransfers: number, lanes: lanes)
    }
}

func lastComponent(_ path: String) -> String? {
    path.split(separator: "/").last.map(String.init)
}
