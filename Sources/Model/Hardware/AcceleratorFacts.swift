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
    package var neighbours: [PCIAddress]

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

    private enum CodingKeys: String, CodingKey {
        case product, uuid, index, memory, hive, neighbours
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        product = try values.decodeIfPresent(String.self, forKey: .product)
        uuid = try values.decodeIfPresent(String.self, forKey: .uuid)
        index = try values.decodeIfPresent(Int.self, forKey: .index)
        memory = try values.decodeIfPresent(UInt64.self, forKey: .memory)
        hive = try values.decodeIfPresent(String.self, forKey: .hive)
        neighbours = try values.list(.neighbours)
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encodeIfPresent(product, forKey: .product)
        try values.encodeIfPresent(uuid, forKey: .uuid)
        try values.encodeIfPresent(index, forKey: .index)
        try values.encodeIfPresent(memory, forKey: .memory)
        try values.encodeIfPresent(hive, forKey: .hive)
        try values.encode(list: neighbours, forKey: .neighbours)
    }
}
