// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// The slices of a pool as a scheduler reads them: complete, of one generation, and within the limits of a slice (Kubernetes 1.36:
/// 128 devices, 64 if one has taints or consumes counters; 8 counter sets).
package struct StoredPool {
    package var slices: [ResourceSlice]

    package init(_ slices: [ResourceSlice]) { self.slices = slices }

    package var devices: [SliceDevice] { slices.flatMap { $0.spec.devices ?? [] } }
    package var counterSets: [CounterSet] { slices.flatMap { $0.spec.sharedCounters ?? [] } }

    /// The first difference of the pool from these devices and counter sets; nil if there is none.
    package func difference(from expected: [SliceDevice], counterSets sets: [CounterSet] = []) -> String? {
        let generations = Set(slices.map(\.spec.pool.generation))
        if generations.count != 1 { return "\(slices.count) slices have the generations \(generations.sorted())" }
        for slice in slices {
            let name = slice.metadata.name ?? slice.metadata.generateName ?? ""
            let devices = slice.spec.devices ?? []
            let limit = devices.contains { $0.taints?.isEmpty == false || $0.consumesCounters?.isEmpty == false } ? 64 : 128
            if slice.spec.pool.resourceSliceCount != Int64(slices.count) {
                return "\(name) counts \(slice.spec.pool.resourceSliceCount) slices instead of \(slices.count)"
            }
            if devices.count > limit { return "\(name) has \(devices.count) devices" }
            if (slice.spec.sharedCounters ?? []).count > 8 { return "\(name) has more than 8 sets of counters" }
        }
        let (stored, wanted) = (devices.sorted { $0.name < $1.name }, expected.sorted { $0.name < $1.name })
        if stored.map(\.name) != wanted.map(\.name) {
            return
                "devices \(Set(stored.map(\.name)).symmetricDifference(wanted.map(\.name)).sorted()) on one side only, \(stored.count) stored"
        }
        for (left, right) in zip(stored, wanted) where left != right { return "\(left) instead of \(right)" }
        let (have, want) = (counterSets.sorted { $0.name < $1.name }, sets.sorted { $0.name < $1.name })
        return have == want ? nil : "sets of counters \(have.map(\.name)) instead of \(want.map(\.name)), or other values"
    }
}
