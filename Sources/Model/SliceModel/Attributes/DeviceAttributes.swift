// SPDX-License-Identifier: Apache-2.0

import Hardware
import NetworkModel
import ResourceAPI
import Topology

/// The attributes of one device (`api/attributes.md`).
///
/// Names without a domain are in the driver's domain; the others are the standard ones of KEP-4381 and KEP-6072, and the group ids of
/// AWS's Neuron driver. Where DRANET has an attribute of the same meaning, it has the same name here. Unknown values are absent.
struct DeviceAttributes {
    private var list: AttributeList

    var values: [String: DeviceAttribute] { list.values }
    var warnings: [String] { list.warnings }

    /// - Parameters:
    ///   - sets: names of the sets that the pair is in, by size.
    ///   - groups: AWS's ids of the groups that the device is in, by attribute.
    init(
        _ device: Device, role: Role, pair: Pair?, sets: [Int: String], names: PCINameTable, groups: [String: String],
        capacities: Int = 0
    ) {
        list = AttributeList(capacities: capacities)
        // In the order of importance: attributes for selectors and constraints come first.
        list.add("kind", device.kind.rawValue)
        list.add("role", role.rawValue)
        if let function = device.function { place(function) }
        if let pair { describe(pair, of: device) }
        for (name, value) in groups.sorted(by: { $0.key < $1.key }) { list.add(name, value) }
        if device.kind == .nic {
            list.add("rdma", !device.rdmaDevices.isEmpty)
            list.add("ifName", device.netdevs.first?.name)
            list.add("rdmaDevice", device.rdmaDevices.first?.name)
            list.add("linkGbps", device.portGbps.map { Int64($0) })
            list.add("linkLayer", device.rdmaDevices.first?.ports.first?.linkLayer)
        }
        if let function = device.function { identify(function, names) }
        if device.kind == .nic { describeNetwork(device) }
        for (size, name) in sets.sorted(by: { $0.key < $1.key }) { list.add("group\(size)", name) }
        if device.kind == .nic { describeMore(device) }
        if let function = device.function { describe(function) }
        if let netdev = device.netdevs.first, device.kind == .nic {
            list.add("encapsulation", netdev.encapsulation)
            list.add("alias", netdev.alias)
        }
        list.finish()
    }

    /// Adds the position in the machine: attributes that devices of other drivers also have.
    private mutating func place(_ function: PCIFunction) {
        // The standard form has four digits of domain; consumers refuse a longer domain.
        if function.address.domain <= 0xffff { list.add("resource.kubernetes.io/pciBusID", function.address.description) }
        list.add("resource.kubernetes.io/pcieRoot", function.pcieRoot)
        list.add("resource.kubernetes.io/numaNode", function.numaNode)
        list.add("numaNode", function.numaNode)
        list.add("pciAddress", function.address.description)
    }

    private mutating func describe(_ pair: Pair, of device: Device) {
        list.add("pair", pair.name)
        list.add("rail", pair.rail)
        let own = pair.links.filter { $0.accelerator == device.address || $0.nic == device.address }
        list.add("path", own.map(\.path.pathClass).max { $0.rawValue < $1.rawValue }?.name)
        list.add("pairBasis", pair.basis.rawValue)
    }

    private mutating func identify(_ function: PCIFunction, _ names: PCINameTable) {
        list.add("vendorID", function.vendor)
        list.add("deviceID", function.device)
        list.add("driver", function.driver)
        list.add("pciDevice", names.device(function))
        list.add("pciVendor", names.vendor(function))
        list.add("uuid", function.accelerator?.uuid)
        list.add("productName", function.accelerator?.product)
        list.add("fabricID", function.accelerator?.hive)
    }

    private mutating func describeNetwork(_ device: Device) {
        let netdev = device.netdevs.first
        list.add("virtual", device.function == nil)
        list.add("isSriovVf", device.function.map { $0.physicalFunction != nil })
        list.add("sriov", device.function.map { $0.sriov.map { $0.total > 0 } ?? false })
        list.add("state", netdev?.state)
        list.add("mtu", netdev?.mtu)
        list.add("mac", netdev?.mac?.description)
    }

    private mutating func describeMore(_ device: Device) {
        let netdev = device.netdevs.first
        let addresses = netdev?.addresses ?? []
        list.add("ipv4", list: addresses.filter { !$0.address.isV6 }.map(\.description))
        list.add("ipv6", list: addresses.filter(\.address.isV6).map(\.description))
        list.add("firmware", device.rdmaDevices.first?.firmware ?? netdev?.firmware)
        list.add("type", netdev.map { $0.kind ?? "device" })
        list.add("fabricID", device.subnetPrefix)
        list.add("sriovVfs", device.function?.sriov?.enabled)
    }

    private mutating func describe(_ function: PCIFunction) {
        if let link = function.link, Catalog.hasRealLink(function) { list.add("pcieGbps", Int64(link.gigabitsPerSecond)) }
        list.add("pciSubsystem", function.subsystem.map { String($0.suffix(4)) })
    }
}

extension Device {
    /// The InfiniBand subnet prefix of the first port: the upper half of its first GID.
    fileprivate var subnetPrefix: String? {
        guard let port = rdmaDevices.first?.ports.first, port.linkLayer == "InfiniBand", let gid = port.gids.first?.value else {
            return nil
        }
        let digits = gid.filter { $0 != ":" }
        return digits.utf8.count == 32 ? String(digits.prefix(16)) : nil
    }
}
