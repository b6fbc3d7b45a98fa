// SPDX-License-Identifier: Apache-2.0

/// A device in a slice. Its name is a DNS label that is unique in the pool.
package struct SliceDevice: Hashable, Sendable {
    package var name: String
    package var attributes: [String: DeviceAttribute]?
    package var capacity: [String: DeviceCapacity]?
    /// Amounts that the device consumes of shared counters.
    package var consumesCounters: [CounterConsumption]?
    /// Taints that keep new claims from the device, or evict the pods with the device (KEP-5055).
    package var taints: [DeviceTaint]?
    /// True if several claims can have the device at once, each with a part of the capacity (KEP-5075).
    package var allowMultipleAllocations: Bool?

    package init(
        name: String, attributes: [String: DeviceAttribute], capacity: [String: DeviceCapacity]? = nil,
        consumesCounters: [CounterConsumption]? = nil, taints: [DeviceTaint]? = nil, allowMultipleAllocations: Bool? = nil
    ) {
        self.name = name
        self.attributes = attributes
        self.capacity = capacity
        self.consumesCounters = consumesCounters
        self.taints = taints
        self.allowMultipleAllocations = allowMultipleAllocations
    }
}

extension SliceDevice: Codable {
    private enum CodingKeys: String, CodingKey {
        case name, basic, attributes, capacity, consumesCounters, taints, allowMultipleAllocations
    }

    package init(from decoder: any Decoder) throws {
        let outer = try decoder.container(keyedBy: CodingKeys.self)
        name = try outer.decode(String.self, forKey: .name)
        let values = outer.contains(.basic) ? try outer.nestedContainer(keyedBy: CodingKeys.self, forKey: .basic) : outer
        // The API server omits empty fields.
        attributes = try values.decodeIfPresent([String: DeviceAttribute].self, forKey: .attributes) ?? [:]
        capacity = try values.decodeIfPresent([String: DeviceCapacity].self, forKey: .capacity)
        consumesCounters = try values.decodeIfPresent([CounterConsumption].self, forKey: .consumesCounters)
        taints = try values.decodeIfPresent([DeviceTaint].self, forKey: .taints).flatMap { $0.isEmpty ? nil : $0 }
        allowMultipleAllocations = try values.decodeIfPresent(Bool.self, forKey: .allowMultipleAllocations) == true ? true : nil
    }

    package func encode(to encoder: any Encoder) throws {
        var outer = encoder.container(keyedBy: CodingKeys.self)
        try outer.encode(name, forKey: .name)
        let version = CodingUserInfoKey.resourceAPIVersion.flatMap { encoder.userInfo[$0] as? ResourceAPIVersion }
        var values = version == .v1beta1 ? outer.nestedContainer(keyedBy: CodingKeys.self, forKey: .basic) : outer
        try values.encodeIfPresent(attributes, forKey: .attributes)
        try values.encodeIfPresent(capacity, forKey: .capacity)
        try values.encodeIfPresent(consumesCounters, forKey: .consumesCounters)
        try values.encodeIfPresent(taints, forKey: .taints)
        try values.encodeIfPresent(allowMultipleAllocations, forKey: .allowMultipleAllocations)
    }
}

/// A taint of a device: claims without a matching toleration do not get it (KEP-5055).
package struct DeviceTaint: Sendable, Codable {
    /// The effect of a taint on claims and pods.
    package enum Effect: String, Sendable, Codable, CaseIterable {
        /// Informs only (Kubernetes 1.35).
        case none = "None"
        case noSchedule = "NoSchedule"
        /// Also deletes pods with the device.
        case noExecute = "NoExecute"
    }

    /// Name in the form of a label: `dra.nearside/link-down`.
    package var key: String
    package var value: String?
    package var effect: Effect
    /// Time at which the server first saw the taint. The server sets it; later writes have to repeat it.
    package var timeAdded: String?

    package init(key: String, value: String? = nil, effect: Effect) {
        self.key = key
        self.value = value
        self.effect = effect
    }
}

extension DeviceTaint: Hashable {
    // The time is ignored, because the server sets it.
    package static func == (left: DeviceTaint, right: DeviceTaint) -> Bool {
        left.key == right.key && (left.value ?? "") == (right.value ?? "") && left.effect == right.effect
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(key)
        hasher.combine(value ?? "")
        hasher.combine(effect)
    }
}

/// A capacity of a device, and the rules for claims that consume it.
package struct DeviceCapacity: Hashable, Sendable, Codable {
    package var value: Quantity
    package var requestPolicy: CapacityRequestPolicy?

    package init(value: Quantity, requestPolicy: CapacityRequestPolicy? = nil) {
        self.value = value
        self.requestPolicy = requestPolicy
    }
}

/// The amount for a claim without a requested amount, and the valid amounts.
package struct CapacityRequestPolicy: Hashable, Sendable, Codable {
    /// The valid amounts of a request.
    package struct Range: Hashable, Sendable, Codable {
        package var min: Quantity
        package var max: Quantity?
        package var step: Quantity?

        package init(min: Quantity, max: Quantity? = nil, step: Quantity? = nil) {
            self.min = min
            self.max = max
            self.step = step
        }
    }

    package var `default`: Quantity
    package var validRange: Range?

    package init(default: Quantity, validRange: Range? = nil) {
        self.default = `default`
        self.validRange = validRange
    }
}

/// The value of an attribute: exactly one of the fields is set on the wire.
package enum DeviceAttribute: Hashable, Sendable {
    case int(Int64)
    case bool(Bool)
    case string(String)
    case version(String)
    /// A list (KEP-5491), which only other drivers publish.
    case other([String: JSONValue])
}

extension DeviceAttribute: Codable {
    private struct Lists: Decodable {
        var ints: [Int64]?
        var bools: [Bool]?
        var strings: [String]?
        var versions: [String]?

        var fields: [String: JSONValue] {
            var fields: [String: JSONValue] = [:]
            fields["ints"] = ints.map { .array($0.map(JSONValue.integer)) }
            fields["bools"] = bools.map { .array($0.map(JSONValue.bool)) }
            fields["strings"] = strings.map { .array($0.map(JSONValue.string)) }
            fields["versions"] = versions.map { .array($0.map(JSONValue.string)) }
            return fields
        }
    }

    private enum CodingKeys: String, CodingKey {
        case int, bool, string, version
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        if let value = try values.decodeIfPresent(Int64.self, forKey: .int) {
            self = .int(value)
        } else if let value = try values.decodeIfPresent(Bool.self, forKey: .bool) {
            self = .bool(value)
        } else if let value = try values.decodeIfPresent(String.self, forKey: .version) {
            self = .version(value)
        } else if let value = try values.decodeIfPresent(String.self, forKey: .string) {
            self = .string(value)
        } else {
            self = .other(try Lists(from: decoder).fields)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        if case .other(let fields) = self { return try fields.encode(to: encoder) }
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .other: break
        case .int(let value): try values.encode(value, forKey: .int)
        case .bool(let value): try values.encode(value, forKey: .bool)
        case .string(let value): try values.encode(value, forKey: .string)
        case .version(let value): try values.encode(value, forKey: .version)
        }
    }
}
