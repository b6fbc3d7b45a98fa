// SPDX-License-Identifier: Apache-2.0

/// A machine laid out as the files a kernel would show: `/sys`, and what we read of `/proc`.
///
/// Discovery of such a tree gives the machine again. Addresses of interfaces are not part of it: no
/// file holds them in a form that a capture would carry.
package struct MachineTree: Sendable {
    package enum Entry: Hashable, Sendable {
        case directory(String)
        case file(String, String)
        /// A symbolic link: its own path, and what it holds.
        case link(String, String)
    }

    /// In an order in which they can be made: a folder before what is in it. Paths are relative.
    package private(set) var entries: [Entry] = []

    package init(_ machine: Machine) {
        entries = [.directory("sys/bus/pci/devices")]
        if let name = machine.name {
            file("sys/devices/virtual/dmi/id/product_name", name)
        }
        for node in machine.numaNodes {
            let folder = "sys/devices/system/node/node\(node.id)"
            entries.append(.directory(folder))
            if !node.distances.isEmpty {
                file("\(folder)/distance", node.distances.map(String.init).joined(separator: " "))
            }
        }
        let paths = Dictionary(
            machine.functions.map { ($0.address, Self.folder(of: $0)) }, uniquingKeysWith: { first, _ in first })
        for function in machine.functions {
            layOut(function, in: Self.folder(of: function), paths: paths)
        }
        for netdev in machine.virtualNetdevs {
            layOut(netdev, in: "sys/devices/virtual/net/\(netdev.name)", hasDevice: false)
        }
        layOutUplinks(of: machine)
    }

    private static func folder(of function: PCIFunction) -> String {
        // Captures that keep no hierarchy hold the functions themselves on the bus.
        function.path.isEmpty
            ? "sys/bus/pci/devices/\(function.address)"
            : "sys/devices/\(function.path.joined(separator: "/"))/\(function.address)"
    }

    private mutating func file(_ path: String, _ text: String) {
        entries.append(.file(path, text + "\n"))
    }

    /// A link between two places of the tree, relative as sysfs writes them.
    private mutating func link(_ path: String, to target: String) {
        let up = path.split(separator: "/").count - 1
        entries.append(.link(path, String(repeating: "../", count: up) + target))
    }

    private mutating func layOut(
        _ function: PCIFunction, in folder: String, paths: [PCIAddress: String]
    ) {
        entries.append(.directory(folder))
        if !function.path.isEmpty {
            link("sys/bus/pci/devices/\(function.address)", to: folder)
        }
        file("\(folder)/vendor", "0x\(function.vendor)")
        file("\(folder)/device", "0x\(function.device)")
        file("\(folder)/class", "0x\(function.classCode)")
        file("\(folder)/numa_node", String(function.numaNode ?? -1))
        if let link = function.link {
            file("\(folder)/current_link_speed", "\(link.gigatransfers) GT/s PCIe")
            file("\(folder)/current_link_width", String(link.lanes))
        }
        if let driver = function.driver {
            entries.append(.directory("sys/bus/pci/drivers/\(driver)"))
            link("\(folder)/driver", to: "sys/bus/pci/drivers/\(driver)")
        }
        if let physical = function.physicalFunction, let target = paths[physical] {
            link("\(folder)/physfn", to: target)
        }
        for netdev in function.netdevs {
            layOut(netdev, in: "\(folder)/net/\(netdev.name)", hasDevice: true)
        }
        for device in function.rdmaDevices {
            layOut(device, below: folder)
        }
        layOutAccelerator(function, in: folder)
    }

    private mutating func layOutAccelerator(_ function: PCIFunction, in folder: String) {
        var nvidia: [String] = []
        if let uuid = function.uuid { nvidia.append("GPU UUID: \t \(uuid)") }
        for node in function.charDevices {
            let name = node.path.split(separator: "/").last.map(String.init) ?? node.path
            if name.hasPrefix("nvidia") {
                nvidia.append("Device Minor: \t \(node.minor)")
            } else if name.hasPrefix("renderD") {
                file("\(folder)/drm/\(name)/dev", "\(node.major):\(node.minor)")
            } else {
                file("\(folder)/accel/\(name)/dev", "\(node.major):\(node.minor)")
            }
        }
        if function.vendor == "10de", !nvidia.isEmpty {
            file("proc/driver/nvidia/gpus/\(function.address)/information", nvidia.joined(separator: "\n"))
        }
    }

    private mutating func layOut(_ netdev: Netdev, in folder: String, hasDevice: Bool) {
        entries.append(.directory(folder))
        link("sys/class/net/\(netdev.name)", to: folder)
        if hasDevice {
            entries.append(.link("\(folder)/device", "../../"))
        }
        if netdev.index != 0 { file("\(folder)/ifindex", String(netdev.index)) }
        if let mac = netdev.mac { file("\(folder)/address", mac) }
        if let mtu = netdev.mtu { file("\(folder)/mtu", String(mtu)) }
        if let state = netdev.state { file("\(folder)/operstate", state) }
        if let speed = netdev.speed { file("\(folder)/speed", String(speed)) }
        var uevent = "INTERFACE=\(netdev.name)"
        if let kind = netdev.kind { uevent = "DEVTYPE=\(kind)\n" + uevent }
        file("\(folder)/uevent", uevent)
    }

    private mutating func layOut(_ device: RDMADevice, below folder: String) {
        let own = "\(folder)/infiniband/\(device.name)"
        entries.append(.directory(own))
        entries.append(.link("\(own)/device", "../../"))
        link("sys/class/infiniband/\(device.name)", to: own)
        if let guid = device.nodeGUID { file("\(own)/node_guid", guid) }
        for port in device.ports {
            let place = "\(own)/ports/\(port.number)"
            entries.append(.directory(place))
            if let state = port.state {
                let number = ["DOWN": 1, "INIT": 2, "ARMED": 3, "ACTIVE": 4][state] ?? 0
                file("\(place)/state", "\(number): \(state)")
            }
            if let layer = port.linkLayer { file("\(place)/link_layer", layer) }
            if let rate = port.rate { file("\(place)/rate", "\(rate) Gb/sec (4X)") }
        }
        for node in device.charDevices {
            let name = node.path.split(separator: "/").last.map(String.init) ?? node.path
            let place = "\(folder)/infiniband_verbs/\(name)"
            entries.append(.directory(place))
            link("sys/class/infiniband_verbs/\(name)", to: place)
            file("\(place)/ibdev", device.name)
            file("\(place)/dev", "\(node.major):\(node.minor)")
        }
    }

    /// Default routes in the form of `/proc/net/route`: the only trace of an uplink in a tree.
    private mutating func layOutUplinks(of machine: Machine) {
        let uplinks = (machine.functions.flatMap(\.netdevs) + machine.virtualNetdevs).filter(\.isUplink)
        guard !uplinks.isEmpty else { return }
        var table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
        for netdev in uplinks {
            table += "\n\(netdev.name)\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0"
        }
        file("proc/net/route", table)
    }
}
