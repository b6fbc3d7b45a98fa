// SPDX-License-Identifier: Apache-2.0

/// A version of the API group resource.k8s.io. The types here are those of v1; v1beta2 has the same JSON, v1beta1 nests the
/// fields of a device one level deeper, in `basic`.
package enum ResourceAPIVersion: String, Sendable, CaseIterable {
    case v1, v1beta2, v1beta1

    package static let group = "resource.k8s.io"
    package var groupVersion: String { "\(Self.group)/\(rawValue)" }
}

extension CodingUserInfoKey {
    /// The ``ResourceAPIVersion`` to encode, v1 if it is not set. Decoding accepts all versions.
    package static let resourceAPIVersion = CodingUserInfoKey(rawValue: "nearside.resourceAPIVersion")
}

/// Devices of a node for the scheduler (resource.k8s.io/v1 ResourceSlice, KEP-4381).
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

/// The specification of a slice: its pool, and either devices or counters.
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

/// The pool of a slice. Consumers use only the slices of the highest generation, once all of them exist.
package struct ResourcePool: Hashable, Sendable, Codable {
    package var name: String
    /// Generation of the pool, which increases with each change of several slices.
    package var generation: Int64
    /// Number of slices of that generation.
    package var resourceSliceCount: Int64

    package init(name: String, generation: Int64, resourceSliceCount: Int64) {
        self.name = name
        self.generation = generation
        self.resourceSliceCount = resourceSliceCount
    }
}

/// Counters that devices of one pool share, by DNS label (KEP-4815).
package struct CounterSet: Hashable, Sendable, Codable {
    package var name: String
    package var counters: [String: Counter]

    package init(name: String, counters: [String: Counter]) {
        self.name = name
        self.counters = counters
    }
}

/// The amount of one counter.
package struct Counter: Hashable, Sendable, Codable {
    package var value: Quantity

    package init(value: Quantity) { self.value = value }
}

/// The amounts that a device consumes of the counters of one set.
package struct CounterConsumption: Hashable, Sendable, Codable {
    package var counterSet: String
    package var counters: [String: Counter]

    package init(counterSet: String, counters: [String: Counter]) {
        self.counterSet = counterSet
        self.counters = counters
    }
}
