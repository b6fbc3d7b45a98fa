// SPDX-License-Identifier: Apache-2.0

package import Hardware
package import ResourceAPI
package import Topology

/// Pairs, and sets of pairs, as separate devices (KEP-4815, partitionable devices): a claim for
/// `pair.nearside` gets all members at once.
///
/// Every accelerator and every NIC has a counter of one, which its own device, its pair and each set with that pair consume. The
/// scheduler can therefore never allocate a member twice.
package struct PairDevices: Sendable {
    /// Pairs by rail, then sets by size.
    package let devices: [SliceDevice]
    package let counterSets: [CounterSet]
    /// Names of the members' devices, by the name of the pair or set.
    package let members: [String: [String]]

    /// Values of the attribute `kind` of such devices.
    static let kinds: Set<String> = ["pair", "pairs"]

    /// Names of the counter sets.
    private enum Sets {
        static let accelerators = "accelerators"
        static let nics = "nics"
    }

    /// Returns nil if there are no such devices: no pair has only published members, or the members exceed the limit of a counter set.
    ///
    /// - Parameters:
    ///   - published: the devices that are published individually and allocated to one claim at a time.
    ///   - taints: their taints, by the device's name. A taint of a member also applies to its pair and sets.
    package init?(_ topology: MachineTopology, sets: [PairSet], published: [Device], taints: [String: [DeviceTaint]] = [:]) {
        let names = Dictionary(published.map { ($0.address, $0.sliceName) }, uniquingKeysWith: { first, _ in first })
        let pairs = topology.pairing.pairs.filter { pair in pair.members.allSatisfy { names[$0.address] != nil } }
        let accelerators = pairs.flatMap(\.accelerators).compactMap { names[$0.address] }
        let nics = pairs.flatMap(\.nics).compactMap { names[$0.address] }
        guard !pairs.isEmpty, accelerators.count <= Limits.countersPerSet, nics.count <= Limits.countersPerSet else { return nil }
        counterSets = [
            CounterSet(name: Sets.accelerators, counters: Self.ones(accelerators)), CounterSet(name: Sets.nics, counters: Self.ones(nics)),
        ]
        var devices: [SliceDevice] = []
        var members: [String: [String]] = [:]
        let taken = Set(names.values)
        func add(_ name: String, _ some: [Pair], _ attributes: [String: DeviceAttribute]) {
            // An interface may have the same name; the device of the interface has precedence.
            guard !taken.contains(name) else { return }
            let own = (accelerators: some.flatMap(\.accelerators), nics: some.flatMap(\.nics))
            let used = (own.accelerators.compactMap { names[$0.address] }, own.nics.compactMap { names[$0.address] })
            members[name] = used.0 + used.1
            devices.append(
                SliceDevice(
                    name: name, attributes: Self.attributes(some).merging(attributes) { $1 },
                    consumesCounters: Self.consumption(accelerators: used.0, nics: used.1),
                    taints: Self.joined(members: used.0 + used.1, taints)))
        }
        for pair in pairs {
            var own: [String: DeviceAttribute] = ["kind": .string("pair"), "rail": .int(Int64(pair.rail))]
            for set in sets where set.rails.contains(pair.rail) { own["group\(set.rails.count)"] = .string(set.name) }
            add(pair.name, [pair], own)
        }
        for set in sets {
            let some = pairs.filter { set.rails.contains($0.rail) }
            guard some.count == set.rails.count else { continue }
            add(set.name, some, ["kind": .string("pairs")])
        }
        self.devices = devices
        self.members = members
    }

    /// Returns the counters that a single device consumes; nil for a device without a pair.
    package func consumption(of device: Device) -> [CounterConsumption]? {
        let name = device.sliceName
        switch device.kind {
        case .accelerator:
            return counterSets[0].counters[name] == nil ? nil : Self.consumption(accelerators: [name], nics: [])
        case .nic: return counterSets[1].counters[name] == nil ? nil : Self.consumption(accelerators: [], nics: [name])
        }
    }

    private static func ones(_ names: [String]) -> [String: Counter] {
        Dictionary(names.map { ($0, Counter(value: "1")) }, uniquingKeysWith: { first, _ in first })
    }

    private static func consumption(accelerators: [String], nics: [String]) -> [CounterConsumption] {
        [(Sets.accelerators, accelerators), (Sets.nics, nics)].filter { !$0.1.isEmpty }
            .map { CounterConsumption(counterSet: $0.0, counters: ones($0.1)) }
    }

    /// Returns one taint for each key, with the strictest effect; its value is the first member with the taint.
    private static func joined(members: [String], _ taints: [String: [DeviceTaint]]) -> [DeviceTaint]? {
        var joined: [String: DeviceTaint] = [:]
        for member in members {
            for var taint in taints[member] ?? [] {
                taint.value = joined[taint.key]?.value ?? member
                let order = DeviceTaint.Effect.allCases
                if let other = joined[taint.key]?.effect, order.firstIndex(of: other) ?? 0 > order.firstIndex(of: taint.effect) ?? 0 {
                    taint.effect = other
                }
                joined[taint.key] = taint
            }
        }
        return joined.isEmpty ? nil : joined.values.sorted { $0.key < $1.key }
    }

    private static func attributes(_ pairs: [Pair]) -> [String: DeviceAttribute] {
        var values: [String: DeviceAttribute] = [
            "pairs": .int(Int64(pairs.count)), "accelerators": .int(Int64(pairs.map(\.accelerators.count).reduce(0, +))),
            "nics": .int(Int64(pairs.map(\.nics.count).reduce(0, +))),
        ]
        let links = pairs.flatMap(\.links)
        if let worst = links.map(\.path.pathClass).max() { values["path"] = .string(worst.name) }
        let bases = Set(pairs.map(\.basis))
        if bases.count == 1, let basis = bases.first { values["pairBasis"] = .string(basis.rawValue) }
        let nodes = Set(pairs.map(\.numaNode))
        if nodes.count == 1, let node = nodes.first, let node {
            values["numaNode"] = .int(Int64(node))
            values["resource.kubernetes.io/numaNode"] = .int(Int64(node))
        }
        let rates = pairs.compactMap(\.gbps)
        if rates.count == pairs.count { values["gbps"] = .int(Int64(rates.reduce(0, +))) }
        return values
    }
}
