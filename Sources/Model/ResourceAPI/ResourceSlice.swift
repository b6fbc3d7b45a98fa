// SPDX-License-Identifier: Apache-2.0

/// A version of the group resource.k8s.io in which an API server can be spoken to. The objects here are those of v1; v1beta2
/// writes them alike, v1beta1 has what makes up a device one level further down.
package enum ResourceAPIVersion: String, Sendable, CaseIterable {
    case v1, v1beta2, v1beta1

    package static let group = "resource.k8s.io"
    package var groupVersion: String { "\(Self.group)/\(rawValue)" }
}

extension CodingUserInfoKey {
    /// The ``ResourceAPIVersion`` to write; v1 when it is not set. What is read tells by itself.
    package static let resourceAPIVersion = CodingUserInfoKey(rawValue: "nearside.resourceAPIVersion")
}

/// Devices of a node, as the scheduler sees them (resource.k8s.io/v1 ResourceSlice, KEP-4381).
package struct ResourceSlice: Hashable, Sendable, Codable {
    package static let apiVersion = ResourceAPIVersion.v1.groupVersion

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

/// Amounts that devices of one pool draw on together, by DNS label.
package struct CounterSet: Hashable, Sendable, Codable {
    package var name: String
    package var counters: [String: Counter]

    package init(name: String, counters: [String: Counter]) {
        self.name = name
        self.counters = counters
    }
}

package struct Counter: Hashable, Sendable, Codable {
    package var value: Quantity

    package init(value: Quantity) { self.value = value }
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
