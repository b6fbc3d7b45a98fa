// SPDX-License-Identifier: Apache-2.0

/// An accelerator or a NIC of a machine: what users see, claim and inspect.
package struct Device: Hashable, Sendable {
    package enum Kind: String, Sendable, Codable {
        case accelerator
        case nic
    }

    /// The PCI address in sysfs form, or the interface name of a virtual NIC.
    package var address: String
    package var kind: Kind
    /// The PCI function; nil for a virtual NIC.
    package var function: PCIFunction?
    package var netdevs: [Netdev]

    package init(address: String, kind: Kind, function: PCIFunction?, netdevs: [Netdev]) {
        self.address = address
        self.kind = kind
        self.function = function
        self.netdevs = netdevs
    }

    package var rdmaDevices: [RDMADevice] { function?.rdmaDevices ?? [] }
    package var family: Catalog.Family? { function.flatMap(Catalog.acceleratorFamily) }
    package var isUplink: Bool { netdevs.contains(where: \.isUplink) }
    package var numaNode: Int? { function?.numaNode }

    /// All nodes a container needs for this device, but not those it shares with others.
    package var charDevices: [CharDevice] {
        (function?.charDevices ?? []) + rdmaDevices.flatMap(\.charDevices)
    }

    /// Order of devices wherever a list of them is shown or published: PCI functions by bus address,
    /// then virtual NICs by name.
    package static func areInOrder(_ left: Device, _ right: Device) -> Bool {
        switch (left.function?.address, right.function?.address) {
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
            if Catalog.acceleratorFamily(function) != nil {
                devices.append(
                    Device(
                        address: function.address.description, kind: .accelerator, function: function,
                        netdevs: function.netdevs))
            } else if Catalog.isNIC(function) {
                devices.append(
                    Device(
                        address: function.address.description, kind: .nic, function: function,
                        netdevs: function.netdevs))
            }
        }
        for netdev in virtualNetdevs {
            devices.append(Device(address: netdev.name, kind: .nic, function: nil, netdevs: [netdev]))
        }
        return devices.sorted(by: Device.areInOrder)
    }
}
