// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// An accelerator or a NIC of a machine: what users see, claim and inspect.
package struct Device: Hashable, Sendable {
    package enum Kind: String, Sendable, Codable {
        case accelerator
        case nic
    }

    /// The PCI address in sysfs form, with `/sf88` behind it for a sub-function; or the interface name of a
    /// virtual NIC.
    package var address: String
    package var kind: Kind
    /// The PCI function; nil for a virtual NIC.
    package var function: PCIFunction?
    /// The sub-function of that function, if the device is one.
    package var subFunction: SubFunction?
    /// Its own interfaces: no representors, nothing that is stacked on them.
    package var netdevs: [Netdev]
    package var rdmaDevices: [RDMADevice]
    /// Nodes a container needs that other devices need too.
    package var sharedCharDevices: [CharDevice]

    package init(
        address: String, kind: Kind, function: PCIFunction?, subFunction: SubFunction? = nil, netdevs: [Netdev],
        rdmaDevices: [RDMADevice] = [], sharedCharDevices: [CharDevice] = []
    ) {
        self.address = address
        self.kind = kind
        self.function = function
        self.subFunction = subFunction
        self.netdevs = netdevs
        self.rdmaDevices = rdmaDevices
        self.sharedCharDevices = sharedCharDevices
    }

    package var family: Catalog.Family? { function.flatMap(Catalog.acceleratorFamily) }
    package var isUplink: Bool { netdevs.contains(where: \.isUplink) }
    /// The use that the host itself makes of one of its interfaces; one that no policy changes comes first.
    package var hostUse: HostUse? {
        let uses = netdevs.compactMap(\.hostUse)
        return uses.first { !$0.yieldsToPolicy } ?? uses.first
    }
    package var numaNode: Int? { function?.numaNode }

    /// Can move data by RDMA: it has an RDMA device, is an InfiniBand controller, or is known to be one.
    package var isRDMACapable: Bool {
        !rdmaDevices.isEmpty || subFunction == nil && function.map(Catalog.isRDMACapable) ?? false
    }

    /// All nodes a container needs for this device, but not those it shares with others.
    package var charDevices: [CharDevice] {
        (subFunction == nil ? function?.charDevices ?? [] : []) + rdmaDevices.flatMap(\.charDevices)
    }

    /// Order of devices wherever a list of them is shown or published: PCI functions by bus address,
    /// then virtual NICs by name.
    package static func areInOrder(_ left: Device, _ right: Device) -> Bool {
        switch (left.function?.address, right.function?.address) {
        case (let first?, let second?) where first == second:
            (left.subFunction?.number ?? -1, left.address) < (right.subFunction?.number ?? -1, right.address)
        case (let left?, let right?): left < right
        case (_?, nil): true
        case (nil, _?): false
        case (nil, nil): left.address < right.address
        }
    }
}

extension Machine {
    /// Accelerators and NICs, in order.
    package var devices: [Device] {
        var devices: [Device] = []
        for function in functions {
            let kind: Device.Kind
            if Catalog.acceleratorFamily(function) != nil {
                kind = .accelerator
            } else if Catalog.isNIC(function) {
                kind = .nic
            } else {
                continue
            }
            devices.append(
                Device(
                    address: function.address.description, kind: kind, function: function,
                    netdevs: function.netdevs.own, rdmaDevices: function.rdmaDevices))
            for part in function.subFunctions {
                devices.append(
                    Device(
                        address: "\(function.address)/sf\(part.number.map(String.init) ?? part.name)", kind: .nic,
                        function: function, subFunction: part, netdevs: part.netdevs.own,
                        rdmaDevices: part.rdmaDevices))
            }
        }
        for netdev in virtualNetdevs {
            let rdma = virtualRDMADevices.filter { $0.ports.contains { $0.netdev == netdev.name } }
            devices.append(
                Device(address: netdev.name, kind: .nic, function: nil, netdevs: [netdev], rdmaDevices: rdma))
        }
        for index in devices.indices {
            let paths = Catalog.sharedNodes(devices[index])
            devices[index].sharedCharDevices = sharedCharDevices.filter { paths.contains($0.path) }
        }
        return devices.sorted(by: Device.areInOrder)
    }
}
