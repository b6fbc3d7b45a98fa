// SPDX-License-Identifier: Apache-2.0

/// Facts that the driver of an accelerator reports. Each is nil or empty if the driver does not report it.
package struct AcceleratorFacts: Hashable, Sendable, Codable {
    /// Product name: `NVIDIA H100 80GB HBM3`, `Trainium2`.
    package var product: String?
    /// Globally unique id: NVIDIA's UUID, AMD's unique id.
    package var uuid: String?
    /// Index of the device in the vendor's tools: NVIDIA's minor, Neuron's index.
    package var index: Int?
    /// Bytes of device memory.
    package var memory: UInt64?
    /// XGMI hive: accelerators of one non-zero hive are connected by XGMI.
    package var hive: String?
    /// Accelerators at the other ends of direct links (XGMI, NeuronLink).
    @SparseList package var neighbours: [PCIAddress]

    package init(
        product: String? = nil, uuid: String? = nil, index: Int? = nil, memory: UInt64? = nil, hive: String? = nil,
        neighbours: [PCIAddress] = []
    ) {
        self.product = product
        self.uuid = uuid
        self.index = index
        self.memory = memory
        self.hive = hive
        self.neighbours = neighbours
    }

    package var isEmpty: Bool { self == AcceleratorFacts() }
}
