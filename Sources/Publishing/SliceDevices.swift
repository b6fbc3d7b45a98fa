// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import ResourceAPI
package import Topology

extension Device {
    /// The device's name in slices: `pci-0000-8a-00-0`, or the interface name as a DNS label.
    package var sliceName: String {
        guard let function else { return Limits.label(address) }
        return subFunction?.sliceName(in: function) ?? function.sliceName
    }
}

extension PCIFunction {
    package var sliceName: String { Limits.label("pci-\(address)") }
}

extension SubFunction {
    /// `pci-0000-8a-00-0-sf-88`
    package func sliceName(in function: PCIFunction) -> String {
        Limits.label("pci-\(function.address)-sf-\(number.map(String.init) ?? name)")
    }
}

/// The devices of a machine as a slice carries them. Pure.
package struct SliceDevices: Sendable {
    package let devices: [SliceDevice]
    /// Pairs and sets of them; nil when there are none.
    package let pairs: PairDevices?
    /// All that is published where the cluster knows counters.
    package let withPairs: SliceContents
    /// What is published elsewhere: pairs then are a constraint on the attribute.
    package var withoutPairs: SliceContents { SliceContents(devices: devices) }

    package init(_ topology: MachineTopology, _ policy: PublishingPolicy) {
        let published = topology.devices.filter(policy.publishes)
        var names: Set<String> = []
        // Two interface names can become one label; the first keeps it.
        let entries = published.filter { names.insert($0.sliceName).inserted }
        let pairs = PairDevices(topology, published: entries)
        self.pairs = pairs
        devices = entries.map { device in
            let attributes = DeviceAttributes(device, role: topology.role(of: device).role, pair: topology.pair(of: device))
            return SliceDevice(name: device.sliceName, attributes: attributes.values)
        }
        guard let pairs else {
            withPairs = SliceContents(devices: devices)
            return
        }
        let singles = zip(entries, devices).map { entry, device in
            SliceDevice(name: device.name, attributes: device.attributes ?? [:], consumesCounters: pairs.consumption(of: entry))
        }
        withPairs = SliceContents(devices: singles + pairs.devices, counterSets: pairs.counterSets)
    }
}

/// The attributes of one device, as `api/attributes.md` lists them.
///
/// Names without a domain belong to the driver's; the others are the standard ones of KEP-4381 and
/// KEP-6072. Strings are cut to what the API takes; what is unknown is absent.
struct DeviceAttributes {
    private(set) var values: [String: DeviceAttribute] = [:]

    init(_ device: Device, role: Role, pair: Pair?) {
        set("kind", device.kind.rawValue)
        set("role", role.rawValue)
        if let function = device.function { describe(function) }
        describeNetwork(device)
        if let pair {
            set("pair", pair.name)
            set("pairBasis", pair.basis.rawValue)
            values["rail"] = .int(Int64(pair.rail))
            let own = pair.links.filter { $0.accelerator == device.address || $0.nic == device.address }
            if let worst = own.map(\.path.pathClass).max(by: { $0.rawValue < $1.rawValue }) {
                set("path", worst.name)
            }
        }
    }

    private mutating func set(_ name: String, _ text: String?) {
        guard let text, !text.isEmpty else { return }
        values[name] = .string(Limits.attribute(text))
    }

    private mutating func describe(_ function: PCIFunction) {
        set("pciAddress", function.address.description)
        set("vendorID", function.vendor)
        set("deviceID", function.device)
        set("driver", function.driver)
        set("uuid", function.accelerator?.uuid)
        if let link = function.link, Catalog.hasRealLink(function) { values["pcieGbps"] = .int(Int64(link.gigabitsPerSecond)) }
        values["isSriovVf"] = .bool(function.physicalFunction != nil)
        // The standard's form has four digits of domain; a longer address would be refused.
        if function.address.domain <= 0xffff {
            set("resource.kubernetes.io/pciBusID", function.address.description)
        }
        set("resource.kubernetes.io/pcieRoot", function.pcieRoot)
        if let node = function.numaNode {
            values["numaNode"] = .int(Int64(node))
            values["resource.kubernetes.io/numaNode"] = .int(Int64(node))
        }
    }

    private mutating func describeNetwork(_ device: Device) {
        guard device.kind == .nic else { return }
        values["virtual"] = .bool(device.function == nil)
        values["rdma"] = .bool(!device.rdmaDevices.isEmpty)
        if let rdma = device.rdmaDevices.first {
            set("rdmaDevice", rdma.name)
            if let rate = rdma.ports.compactMap(\.rate).max() { values["linkGbps"] = .int(Int64(rate)) }
            set("linkLayer", rdma.ports.first?.linkLayer)
        }
        guard let netdev = device.netdevs.first else { return }
        set("ifName", netdev.name)
        set("mac", netdev.mac)
        set("state", netdev.state)
        set("type", netdev.kind)
        if let mtu = netdev.mtu { values["mtu"] = .int(Int64(mtu)) }
        if let speed = netdev.speed, values["linkGbps"] == nil { values["linkGbps"] = .int(Int64(speed / 1000)) }
        set("ipv4", netdev.addresses.first { !$0.contains(":") })
        set("ipv6", netdev.addresses.first { $0.contains(":") })
    }
}
