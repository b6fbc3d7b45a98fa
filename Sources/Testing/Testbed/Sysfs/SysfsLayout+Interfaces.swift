// SPDX-License-Identifier: Apache-2.0

import Hardware
import NetworkModel

extension SysfsLayout {
    mutating func layOut(_ netdev: Netdev, in folder: String, hasDevice: Bool, indices: [String: Int]) {
        directory(folder)
        link("sys/class/net/\(netdev.name)", to: folder)
        if hasDevice { link("\(folder)/device", relative: "../../") }
        if netdev.index != 0 { file("\(folder)/ifindex", netdev.index) }
        if let lower = netdev.lower, let index = indices[lower], index != 0 { file("\(folder)/iflink", index) }
        if let mac = netdev.mac { file("\(folder)/address", mac.description) }
        file("\(folder)/mtu", netdev.mtu)
        if let state = netdev.state { file("\(folder)/operstate", state) }
        file("\(folder)/carrier", netdev.hasCarrier.map { $0 ? 1 : 0 })
        if let isEnabled = netdev.isEnabled { file("\(folder)/flags", isEnabled ? "0x1003" : "0x1002") }
        file("\(folder)/type", Netdev.encapsulations.first { $0.value == netdev.encapsulation }?.key)
        file("\(folder)/speed", netdev.speed)
        file("\(folder)/dev_port", netdev.port)
        if let name = netdev.portName { file("\(folder)/phys_port_name", name) }
        if let id = netdev.switchID { file("\(folder)/phys_switch_id", id) }
        if let alias = netdev.alias { file("\(folder)/ifalias", alias) }
        var uevent = "INTERFACE=\(netdev.name)"
        if let kind = netdev.kind { uevent = "DEVTYPE=\(kind)\n" + uevent }
        file("\(folder)/uevent", uevent)
    }

    mutating func layOut(_ device: RDMADevice, below folder: String, hasDevice: Bool) {
        let own = "\(folder)/infiniband/\(device.name)"
        directory(own)
        if hasDevice { link("\(own)/device", relative: "../../") }
        link("sys/class/infiniband/\(device.name)", to: own)
        if let type = device.nodeType {
            let number = RDMADevice.nodeTypes.firstIndex(of: type) ?? 0
            file("\(own)/node_type", "\(number): \(type)")
        }
        if let firmware = device.firmware { file("\(own)/fw_ver", firmware) }
        if let guid = device.nodeGUID { file("\(own)/node_guid", guid) }
        if let guid = device.systemImageGUID { file("\(own)/sys_image_guid", guid) }
        for port in device.ports { layOut(port, in: "\(own)/ports/\(port.number)") }
        for node in device.charDevices {
            let isVerbs = node.name.hasPrefix("uverbs")
            let place = "\(folder)/\(isVerbs ? "infiniband_verbs" : "infiniband_mad")/\(node.name)"
            directory(place)
            link("sys/class/\(isVerbs ? "infiniband_verbs" : "infiniband_mad")/\(node.name)", to: place)
            file("\(place)/ibdev", device.name)
            file("\(place)/dev", "\(node.major):\(node.minor)")
        }
    }

    private mutating func layOut(_ port: RDMAPort, in folder: String) {
        directory(folder)
        if let state = port.state {
            let number = ["DOWN": 1, "INIT": 2, "ARMED": 3, "ACTIVE": 4][state] ?? 0
            file("\(folder)/state", "\(number): \(state)")
        }
        if let layer = port.linkLayer { file("\(folder)/link_layer", layer == "Unspecified" ? "Unknown" : layer) }
        if let rate = port.rate { file("\(folder)/rate", "\(rate) Gb/sec (4X)") }
        if let lid = port.lid { file("\(folder)/lid", "0x\(String(lid, radix: 16))") }
        if let netdev = port.netdev { file("\(folder)/gid_attrs/ndevs/0", netdev) }
        for gid in port.gids {
            file("\(folder)/gids/\(gid.index)", gid.value)
            if let type = gid.type { file("\(folder)/gid_attrs/types/\(gid.index)", type) }
        }
    }
}
