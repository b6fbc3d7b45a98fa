// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import ResourceAPI
package import Topology

extension Device {
    /// Name of the device in slices: `pci-0000-8a-00-0`, or the interface name as a DNS label.
    package var sliceName: String {
        guard let function else { return Limits.label(address) }
        return subFunction?.sliceName(in: function) ?? function.sliceName
    }
}

extension PCIFunction {
    package var sliceName: String { Limits.deviceName(ofPCIFunction: address.description) }
}

extension SubFunction {
    /// Returns the name of a sub-function in slices: `pci-0000-8a-00-0-sf-88`.
    package func sliceName(in function: PCIFunction) -> String {
        Limits.label("\(function.sliceName)-sf-\(number.map(String.init) ?? name)")
    }
}

/// The devices of a machine in the form of slices. Pure.
package struct SliceDevices: Sendable {
    /// Pairs and sets as devices; nil if there are none.
    package let pairs: PairDevices?
    /// Contents for a cluster with every feature.
    package let whole: SliceContents
    /// One line for each omitted device or attribute, with the reason, for the log.
    package let warnings: [String]
    /// Devices other than pairs and sets.
    package var devices: [SliceDevice] { whole.devices.filter { pairs?.members[$0.name] == nil } }
    /// Returns the contents for a cluster that lacks some features.
    package func contents(lacking: Set<ClusterFeature>) -> SliceContents { lacking.isEmpty ? whole : whole.without(lacking) }

    /// Wraps given contents.
    package init(contents: SliceContents, pairs: PairDevices? = nil) {
        self.pairs = pairs
        whole = contents
        warnings = []
    }

    package init(
        _ topology: MachineTopology, _ policy: PublishingPolicy, health: HealthReport = HealthReport(), names: PCINameTable = PCINameTable()
    ) {
        var warnings: [String] = []
        var taken: Set<String> = []
        var entries: [Device] = []
        for device in topology.devices.filter({ policy.publishes($0, of: topology) }) + health.lost {
            // Two interface names can have the same label; the first device gets it.
            if taken.insert(device.sliceName).inserted {
                entries.append(device)
            } else {
                warnings.append("\(device.address) is not published: another device already has the name \(device.sliceName)")
            }
        }
        let sets = topology.pairing.pairs.count > 1 ? topology.sets.sets : []
        let groups = NeuronGroups(topology.machine)
        let taints = Dictionary(
            uniqueKeysWithValues: entries.compactMap { device in
                Self.taints(health.findings[device.sliceName] ?? [], policy).map { (device.sliceName, $0) }
            })
        let exclusive = entries.filter { !policy.isShared($0) }
        let pairs = PairDevices(topology, sets: sets, published: exclusive, taints: taints)
        self.pairs = pairs
        let devices = entries.map { device in
            let pair = topology.pair(of: device)
            let own = sets.filter { set in pair.map { set.rails.contains($0.rail) } ?? false }
            let capacity = policy.isShared(device) ? policy.shares.map { ["shares": DeviceCapacity.shares($0)] } : nil
            let attributes = DeviceAttributes(
                device, role: topology.role(of: device).role, pair: pair,
                sets: Dictionary(own.map { ($0.rails.count, $0.name) }, uniquingKeysWith: { first, _ in first }), names: names,
                groups: groups?.ids(of: device) ?? [:], capacities: capacity?.count ?? 0)
            warnings += attributes.warnings.map { "\(device.sliceName): \($0)" }
            return SliceDevice(
                name: device.sliceName, attributes: attributes.values, capacity: capacity, consumesCounters: pairs?.consumption(of: device),
                taints: taints[device.sliceName], allowMultipleAllocations: capacity == nil ? nil : true)
        }
        whole = SliceContents(devices: devices + (pairs?.devices ?? []), counterSets: pairs?.counterSets ?? [])
        self.warnings = warnings
    }

    private static func taints(_ findings: [HealthReport.Finding], _ policy: PublishingPolicy) -> [DeviceTaint]? {
        let taints = findings.compactMap { finding in
            policy.taints.effects[finding.condition].map { DeviceTaint(key: "\(policy.driver)/\(finding.condition.rawValue)", effect: $0) }
        }
        return taints.isEmpty ? nil : taints
    }
}

extension DeviceCapacity {
    /// Returns a capacity for a number of claims; each claim gets one share unless it requests more.
    fileprivate static func shares(_ count: Int) -> DeviceCapacity {
        DeviceCapacity(
            value: Quantity(count), requestPolicy: CapacityRequestPolicy(default: "1", validRange: .init(min: "1", step: "1")))
    }
}
