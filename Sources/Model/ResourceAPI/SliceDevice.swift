// SPDX-License-Identifier: Apache-2.0

/// A device in a slice: its name is a DNS label, unique in the pool.
package struct SliceDevice: Hashable, Sendable {
    package var name: String
    package var attributes: [String: DeviceAttribute]?
    package var capacity: [String: DeviceCapacity]?
    /// What the device takes of counters that it shares with others.
    package var consumesCounters: [CounterConsumption]?
    /// What keeps new pods away from it, or makes those that have it go (KEP-5055).
    package var taints: [DeviceTaint]?
    /// Several claims can have it at once, each with its part of the capacity (KEP-5075).
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
        // A server leaves out what is empty.
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

/// Keeps claims away from a device that do not tolerate it.
package struct DeviceTaint: Sendable, Codable {
    package enum Effect: String, Sendable, Codable, CaseIterable {
        /// Says something and does nothing (Kubernetes 1.35).
        case none = "None"
        case noSchedule = "NoSchedule"
        /// Pods that have the device are deleted, too.
        case noExecute = "NoExecute"
    }

    /// A label's name: `dra.nearside/link-down`.
    package var key: String
    package var value: String?
    package var effect: Effect
    /// Set by the server when it sees the taint for the first time; whoever writes the device again hands it back.
    package var timeAdded: String?

    package init(key: String, value: String? = nil, effect: Effect) {
        self.key = key
        self.value = value
        self.effect = effect
    }
}

extension DeviceTaint: Hashable {
    // The time is the server's.
    package static func == (left: DeviceTaint, right: DeviceTaint) -> Bool {
        left.key == right.key && (left.value ?? "") == (right.value ?? "") && left.effect == right.effect
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(key)
        hasher.combine(value ?? "")
        hasher.combine(effect)
    }
}

/// An amount that a device has, and how claims take of it.
package struct DeviceCapacity: Hashable, Sendable, Codable {
    package var value: Quantity
    package var requestPolicy: CapacityRequestPolicy?

    package init(value: Quantity, requestPolicy: CapacityRequestPolicy? = nil) {
        self.value = value
        self.requestPolicy = requestPolicy
    }
}

/// What a claim gets that does not say how much it wants, and what it may want.
package struct CapacityRequestPolicy: Hashable, Sendable, Codable {
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

/// One attribute: exactly one of the fields is set on the wire.
package enum DeviceAttribute: Hashable, Sendable {
    case int(Int64)
    case bool(Bool)
    case string(String)
    case version(String)
    /// What drivers of others have and we do not write: lists (KEP-5491).
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
