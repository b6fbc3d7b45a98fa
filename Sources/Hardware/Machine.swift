// SPDX-License-Identifier: Apache-2.0

/// All that discovery knows of a machine: a value, complete in itself.
///
/// The same value is read from a live host, from a captured tree and from a machine description, and
/// everything that decides (pairing, slices, plans) works on it alone.
package struct Machine: Hashable, Sendable, Codable {
    /// Product name: DMI's for a live host, the machine type for a description.
    package var name: String?
    /// NUMA nodes by id.
    package var numaNodes: [NUMANode]
    /// PCI functions in bus order.
    package var functions: [PCIFunction]
    /// Interfaces that belong to no PCI function, by name.
    package var virtualNetdevs: [Netdev]

    package init(
        name: String? = nil, numaNodes: [NUMANode] = [], functions: [PCIFunction] = [],
        virtualNetdevs: [Netdev] = []
    ) {
        self.name = name
        self.numaNodes = numaNodes
        self.functions = functions
        self.virtualNetdevs = virtualNetdevs
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            name: try values.decodeIfPresent(String.self, forKey: .name),
            numaNodes: try values.decodeIfPresent([NUMANode].self, forKey: .numaNodes) ?? [],
            functions: try values.decode([PCIFunction].self, forKey: .functions),
            virtualNetdevs: try values.decodeIfPresent([Netdev].self, forKey: .virtualNetdevs) ?? [])
    }

    private enum CodingKeys: String, CodingKey {
        case name, numaNodes, functions, virtualNetdevs
    }
}

/// A NUMA node and how far the others are.
package struct NUMANode: Hashable, Sendable, Codable {
    package var id: Int
    /// Relative distances to the nodes in the order of their ids (ACPI SLIT; 10 is local). Empty when
    /// the firmware has no table.
    package var distances: [Int]

    package init(id: Int, distances: [Int] = []) {
        self.id = id
        self.distances = distances
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try values.decode(Int.self, forKey: .id),
            distances: try values.decodeIfPresent([Int].self, forKey: .distances) ?? [])
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        if !distances.isEmpty { try values.encode(distances, forKey: .distances) }
    }

    private enum CodingKeys: String, CodingKey {
        case id, distances
    }
}

extension Machine {
    /// SLIT distance of two nodes, nil when unknown.
    package func numaDistance(_ left: Int, _ right: Int) -> Int? {
        guard let row = numaNodes.first(where: { $0.id == left })?.distances,
            let column = numaNodes.firstIndex(where: { $0.id == right }), column < row.count
        else { return nil }
        return row[column]
    }
}
