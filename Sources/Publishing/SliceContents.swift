// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// What the slices of a node hold together.
package struct SliceContents: Hashable, Sendable {
    package var devices: [SliceDevice]
    package var counterSets: [CounterSet]

    package init(devices: [SliceDevice], counterSets: [CounterSet] = []) {
        self.devices = devices
        self.counterSets = counterSets
    }

    /// One slice's worth.
    struct Part: Hashable {
        var devices: [SliceDevice]?
        var counterSets: [CounterSet]?
    }

    /// Cut into what one slice may hold: counters in a slice of their own and first, so that they are there before
    /// anything draws on them. An empty pool is a slice too: it says that the driver is there and has nothing.
    var parts: [Part] {
        let hasCounters = devices.contains { $0.consumesCounters != nil }
        let size = hasCounters ? Limits.devicesWithCountersPerSlice : Limits.devicesPerSlice
        var parts = stride(from: 0, to: devices.count, by: size).map {
            Part(devices: Array(devices[$0..<min($0 + size, devices.count)]))
        }
        if parts.isEmpty { parts = [Part(devices: [])] }
        return (counterSets.isEmpty ? [] : [Part(counterSets: counterSets)]) + parts
    }
}
