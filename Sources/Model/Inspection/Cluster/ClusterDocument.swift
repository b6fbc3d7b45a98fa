// SPDX-License-Identifier: Apache-2.0

import ResourceAPI

/// The result of `nearside cluster`: pairs of each node, free pairs, claims with their pods, and the alignment of allocated devices.
/// Computed only from slices and claims.
package struct ClusterDocument: Hashable, Sendable, Codable {
    /// A claim with devices on the node.
    package struct Claim: Hashable, Sendable, Codable {
        package var name: String
        package var pods: [String]
        /// Names of the allocated devices.
        package var devices: [String]
        /// Pairs with at least one device of the claim.
        package var pairs: [String]
        package var accelerators: Int
        /// Number of accelerators with the NIC of their pair; nil if the claim has no accelerators or no NICs.
        package var aligned: Int?
    }

    /// A node with its pairs and claims.
    package struct Node: Hashable, Sendable, Codable {
        package var name: String
        package var pairs: [String]
        package var free: [String]
        /// Pairs with a member whose taint keeps new claims from it.
        package var tainted: [String]
        package var claims: [Claim]
    }

    package var driver: String
    package var nodes: [Node]
    package var remarks: [String]

    package init(_ state: ClusterState, driver: String) {
        self.driver = driver
        remarks = state.warnings
        let pools = state.pools(warnings: &remarks)
        let inventory = Inventory(pools)
        var nodes: [String: Node] = [:]
        for (key, slices) in pools where key[0] == driver {
            let devices = slices.flatMap { $0.spec.devices ?? [] }
            let pairs = Set(devices.compactMap { $0.attribute("pair") } + devices.filter { $0.attribute("kind") == "pair" }.map(\.name))
            let tainted = devices.filter { $0.taints?.contains { $0.effect != .none } == true }
            nodes[key[1]] = Node(
                name: key[1], pairs: pairs.sorted(by: Self.areInOrder), free: [],
                tainted: Set(tainted.flatMap { inventory.pairs(of: [driver, key[1], $0.name]) }).sorted(by: Self.areInOrder), claims: [])
        }
        for claim in state.claims {
            let results = claim.status?.allocation?.devices.results ?? []
            for (pool, own) in Dictionary(grouping: results.filter { $0.driver == driver }, by: \.pool) where nodes[pool] != nil {
                // Accelerators that another driver allocated on the same node belong to the claim.
                let others = results.filter { $0.driver != driver && $0.pool == pool }
                nodes[pool]?.claims.append(Self.claim(claim, own, others, inventory))
            }
        }
        self.nodes = nodes.values.sorted { $0.name < $1.name }.map { node in
            var node = node
            let taken = Set(node.claims.flatMap(\.pairs))
            node.free = node.pairs.filter { !taken.contains($0) }
            node.claims.sort { $0.name < $1.name }
            return node
        }
        remarks.sort()
    }

    private static func claim(
        _ claim: ResourceClaim, _ own: [AllocatedDevice], _ others: [AllocatedDevice], _ inventory: Inventory
    ) -> Claim {
        let members = Set(own.flatMap { inventory.members(of: [$0.driver, $0.pool, $0.device]) })
        let accelerators = members.filter { inventory.kind(of: $0) == "accelerator" }
        let nics = members.filter { inventory.kind(of: $0) == "nic" }
        let near = Set(nics.flatMap(inventory.pairs))
        var aligned = accelerators.count { !inventory.pairs(of: $0).isDisjoint(with: near) }
        // Devices of another driver are matched only by their host bridge.
        let roots = Set(nics.compactMap { inventory.place(of: $0) })
        let foreign = others.map { [$0.driver, $0.pool, $0.device] }.filter { inventory.place(of: $0) != nil }
        aligned += foreign.count { inventory.place(of: $0).map(roots.contains) ?? false }
        let count = accelerators.count + foreign.count
        return Claim(
            name: "\(claim.metadata.namespace ?? "")/\(claim.metadata.name ?? "")",
            pods: (claim.status?.reservedFor ?? []).map(\.name).sorted(), devices: (own + others).map(\.device).sorted(),
            pairs: Set(members.flatMap(inventory.pairs)).sorted(by: areInOrder), accelerators: count,
            aligned: count == 0 || nics.isEmpty ? nil : aligned)
    }

    /// Returns true if two names are in numeric order: `pair-2` before `pair-10`.
    private static func areInOrder(_ left: String, _ right: String) -> Bool {
        (left.utf8.count, left) < (right.utf8.count, right)
    }

    package var text: String {
        var text = remarks.map { "note: \($0)\n" }.joined()
        guard !nodes.isEmpty else { return text + "no node publishes devices of \(driver)\n" }
        var table = TextTable(["NODE", "PAIRS", "FREE", "TAINTED", "CLAIM", "PODS", "HAS", "ALIGNED"])
        for node in nodes {
            let head = [
                node.name, "\(node.pairs.count)", "\(node.free.count)", node.tainted.isEmpty ? "-" : node.tainted.joined(separator: " "),
            ]
            if node.claims.isEmpty { table.add(head + ["-", "-", "-", "-"]) }
            for (index, claim) in node.claims.enumerated() {
                table.add(
                    (index == 0 ? head : ["", "", "", ""]) + [
                        claim.name, claim.pods.isEmpty ? "-" : claim.pods.joined(separator: " "),
                        claim.pairs.isEmpty ? claim.devices.joined(separator: " ") : claim.pairs.joined(separator: " "),
                        claim.aligned.map { "\($0) of \(claim.accelerators)" } ?? "-",
                    ])
            }
        }
        text += table.text
        let pairs = nodes.map(\.pairs.count).reduce(0, +)
        let free = nodes.map(\.free.count).reduce(0, +)
        text += "\(pairs) pairs on \(nodes.count) node\(nodes.count == 1 ? "" : "s"), \(free) free\n"
        let judged = nodes.flatMap(\.claims).filter { $0.aligned != nil }
        if !judged.isEmpty {
            let all = judged.map(\.accelerators).reduce(0, +)
            text += "\(judged.compactMap(\.aligned).reduce(0, +)) of \(all) accelerators with NICs have a near NIC\n"
        }
        return text
    }
}

/// Devices of all pools by driver, pool and name.
private struct Inventory {
    private var devices: [[String]: SliceDevice] = [:]

    init(_ pools: [[String]: [ResourceSlice]]) {
        for (key, slices) in pools {
            for device in slices.flatMap({ $0.spec.devices ?? [] }) { devices[key + [device.name]] = device }
        }
    }

    func kind(of key: [String]) -> String? { devices[key]?.attribute("kind") }

    /// Returns the device itself, or the members of a pair or set, which are the names of its counters.
    func members(of key: [String]) -> [[String]] {
        guard let device = devices[key], ["pair", "pairs"].contains(device.attribute("kind")) else { return [key] }
        return (device.consumesCounters ?? []).flatMap(\.counters.keys).map { [key[0], key[1], $0] }
    }

    func pairs(of key: [String]) -> Set<String> { Set(members(of: key).compactMap { devices[$0]?.attribute("pair") }) }

    /// Returns the host bridge of a device, if its driver publishes it.
    func place(of key: [String]) -> String? { devices[key]?.attribute("resource.kubernetes.io/pcieRoot") }
}
