// SPDX-License-Identifier: Apache-2.0

package import NetworkModel

/// An accelerator or a NIC of a machine: the unit of publication and of claims.
package struct Device: Hashable, Sendable {
    /// The kind of a device.
    package enum Kind: String, Sendable, Codable {
        case accelerator
        case nic
    }

    /// PCI address in the form of sysfs, followed by `/sf88` for a sub-function; the interface name for a virtual NIC.
    package var address: String
    package var kind: Kind
    /// The PCI function; nil for a virtual NIC.
    package var function: PCIFunction?
    /// The sub-function of that function, if the device is one.
    package var subFunction: SubFunction?
    /// The device's own interfaces, without representors and stacked interfaces.
    package var netdevs: [Netdev]
    package var rdmaDevices: [RDMADevice]
    /// Device nodes that a container needs and that other devices share.
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
    /// The host's use of one of the interfaces; a use that no policy can override comes first.
    package var hostUse: HostUse? {
        let uses = netdevs.compactMap(\.hostUse)
        return uses.first { !$0.yieldsToPolicy } ?? uses.first
    }
    package var numaNode: Int? { function?.numaNode }

    /// True for a device with RDMA (``Catalog/isRDMACapable(_:)``).
    package var isRDMACapable: Bool {
        !rdmaDevices.isEmpty || subFunction == nil && function.map(Catalog.isRDMACapable) ?? false
    }

    /// Device nodes of this device alone that a container needs.
    package var charDevices: [CharDevice] {
        (subFunction == nil ? function?.charDevices ?? [] : []) + rdmaDevices.flatMap(\.charDevices)
    }

    /// Returns true if two devices are in the order of all lists: PCI functions by bus address, then virtual NICs by name.
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
    /// Accelerators and NICs of the machine, in order.
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
