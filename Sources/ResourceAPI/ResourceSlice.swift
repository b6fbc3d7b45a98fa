// SPDX-License-Identifier: Apache-2.0

/// Devices of a node, as the scheduler sees them (resource.k8s.io/v1 ResourceSlice, KEP-4381).
package struct ResourceSlice: Hashable, Sendable, Codable {
    package static let apiVersion = "resource.k8s.io/v1"

    package var apiVersion: String? = Self.apiVersion
    package var kind: String? = "ResourceSlice"
    package var metadata: Metadata
    package var spec: ResourceSliceSpec

    package init(metadata: Metadata, spec: ResourceSliceSpec) {
        self.metadata = metadata
        self.spec = spec
    }
}

package struct ResourceSliceSpec: Hashable, Sendable, Codable {
    package var driver: String
    package var pool: ResourcePool
    package var nodeName: String?
    /// Devices or counters, never both (KEP-4815).
    package var devices: [SliceDevice]?
    package var sharedCounters: [CounterSet]?

    package init(
        driver: String, pool: ResourcePool, nodeName: String?, devices: [SliceDevice]?, sharedCounters: [CounterSet]? = nil
    ) {
        self.driver = driver
        self.pool = pool
        self.nodeName = nodeName
        self.devices = devices
        self.sharedCounters = sharedCounters
    }
}

package struct ResourcePool: Hashable, Sendable, Codable {
    package var name: String
    /// Consumers look only at the slices of the highest generation.
    package var generation: Int64
    /// How many slices of that generation there are.
    package var resourceSliceCount: Int64

    package init(name: String, generation: Int64, resourceSliceCount: Int64) {
        self.name = name
        self.generation = generation
        self.resourceSliceCount = resourceSliceCount
    }
}

/// A device in a slice: its name is a DNS label, unique in the pool.
package struct SliceDevice: Hashable, Sendable, Codable {
    package var name: String
    package var attributes: [String: DeviceAttribute]?
    /// What the device takes of counters that it shares with others.
    package var consumesCounters: [CounterConsumption]?

    package init(name: String, attributes: [String: DeviceAttribute], consumesCounters: [CounterConsumption]? = nil) {
        self.name = name
        self.attributes = attributes
        self.consumesCounters = consumesCounters
    }
}

/// Amounts that devices of one pool draw on together, by DNS label.
package struct CounterSet: Hashable, Sendable, Codable {
    package var name: String
    package var counters: [String: Counter]

    package init(name: String, counters: [String: Counter]) {
        self.name = name
        self.counters = counters
    }
}

/// An amount: a Kubernetes quantity.
package struct Counter: Hashable, Sendable, Codable {
    package var value: String

    package init(value: String) { self.value = value }
}

/// What a device takes of the counters of one set.
package struct CounterConsumption: Hashable, Sendable, Codable {
    package var counterSet: String
    package var counters: [String: Counter]

    package init(counterSet: String, counters: [String: Counter]) {
        self.counterSet = counterSet
        self.counters = counters
    }
}

/// One attribute: exactly one of the fields is set on the wire.
package enum DeviceAttribute: Hashable, Sendable {
    case int(Int64)
    case bool(Bool)
    case string(String)
    case version(String)
}

extension DeviceAttribute: Codable {
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
        } else {
            self = .string(try values.decode(String.self, forKey: .string))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .int(let value): try values.encode(value, forKey: .int)
        case .bool(let value): try values.encode(value, forKey: .bool)
        case .string(let value): try values.encode(value, forKey: .string)
        case .version(let value): try values.encode(value, forKey: .version)
        }
    }
}
