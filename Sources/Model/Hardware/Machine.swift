// SPDX-License-Identifier: Apache-2.0

/// A snapshot of a machine: a value that is complete in itself.
///
/// A live host, a captured tree and a machine description yield the same value. Pairing, slices and plans depend on it alone.
package struct Machine: Hashable, Sendable, Codable {
    /// Product name: that of DMI for a live host, the machine type for a description.
    package var name: String?
    /// The processors; nil if the kernel or the description does not name them.
    package var processor: Processor?
    /// NUMA nodes by id.
    @SparseList package var numaNodes: [NUMANode]
    /// PCI functions in bus order.
    package var functions: [PCIFunction]
    /// Interfaces that belong to no PCI function, by name.
    @SparseList package var virtualNetdevs: [Netdev]
    /// RDMA devices that belong to no PCI function (software RDMA over a virtual interface), by name.
    @SparseList package var virtualRDMADevices: [RDMADevice]
    /// Device nodes that several devices share: `/dev/nvidiactl`, `/dev/infiniband/rdma_cm`, ...
    @SparseList package var sharedCharDevices: [CharDevice]

    package init(
        name: String? = nil, processor: Processor? = nil, numaNodes: [NUMANode] = [], functions: [PCIFunction] = [],
        virtualNetdevs: [Netdev] = [], virtualRDMADevices: [RDMADevice] = [], sharedCharDevices: [CharDevice] = []
    ) {
        self.name = name
        self.processor = processor
        self.numaNodes = numaNodes
        self.functions = functions
        self.virtualNetdevs = virtualNetdevs
        self.virtualRDMADevices = virtualRDMADevices
        self.sharedCharDevices = sharedCharDevices
    }
}

/// A NUMA node and its distances to all nodes.
package struct NUMANode: Hashable, Sendable, Codable {
    package var id: Int
    /// Relative distances to the nodes in the order of their ids (ACPI SLIT; 10 is local). Empty if the firmware has no table.
    @SparseList package var distances: [Int]

    package init(id: Int, distances: [Int] = []) {
        self.id = id
        self.distances = distances
    }
}

extension Machine {
    /// All interfaces: of functions, of sub-functions and virtual ones.
    package var allNetdevs: [Netdev] {
        functions.flatMap { $0.netdevs + $0.subFunctions.flatMap(\.netdevs) } + virtualNetdevs
    }

    /// The function at an address, by binary search.
    package subscript(address: PCIAddress) -> PCIFunction? {
        var (low, high) = (0, functions.count)
        while low < high {
            let middle = (low + high) / 2
            if functions[middle].address < address { low = middle + 1 } else { high = middle }
        }
        return low < functions.count && functions[low].address == address ? functions[low] : nil
    }

    /// Returns the narrowest link between a function and its host bridge, its own included; nil if none is known.
    package func narrowestLink(of function: PCIFunction) -> PCILink? {
        (function.bridges.compactMap { self[$0]?.link } + [function.link].compactMap { $0 })
            .min { $0.gigabitsPerSecond < $1.gigabitsPerSecond }
    }

    /// Returns the virtual functions of a physical one, by index.
    package func virtualFunctions(of address: PCIAddress?) -> [PCIFunction] {
        guard let address else { return [] }
        return functions.filter { $0.physicalFunction == address }
            .sorted { ($0.virtualFunctionIndex ?? .max, $0.address) < ($1.virtualFunctionIndex ?? .max, $1.address) }
    }

    /// Returns the SLIT distance of two nodes, nil if unknown.
    package func numaDistance(_ left: Int, _ right: Int) -> Int? {
        guard let row = numaNodes.first(where: { $0.id == left })?.distances,
            let column = numaNodes.firstIndex(where: { $0.id == right }), column < row.count
        else { return nil }
        return row[column]
    }
}
