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
    package struct Part: Hashable {
        package var devices: [SliceDevice]?
        package var counterSets: [CounterSet]?

        package init(devices: [SliceDevice]? = nil, counterSets: [CounterSet]? = nil) {
            self.devices = devices
            self.counterSets = counterSets
        }

        /// What a slice holds; the server leaves out lists that are empty.
        package init(of spec: ResourceSliceSpec) {
            counterSets = spec.sharedCounters.flatMap { $0.isEmpty ? nil : $0 }
            devices = counterSets == nil ? spec.devices ?? [] : nil
        }
    }

    /// Cut into what one slice may hold: counters in a slice of their own and first, so that they are there before
    /// anything draws on them. An empty pool is a slice too: it says that the driver is there and has nothing.
    var parts: [Part] {
        let isHeavy = devices.contains { $0.consumesCounters != nil || $0.taints != nil }
        let size = isHeavy ? Limits.heavyDevicesPerSlice : Limits.devicesPerSlice
        var parts = stride(from: 0, to: devices.count, by: size).map {
            Part(devices: Array(devices[$0..<min($0 + size, devices.count)]))
        }
        if parts.isEmpty { parts = [Part(devices: [])] }
        return (counterSets.isEmpty ? [] : [Part(counterSets: counterSets)]) + parts
    }

    /// The same for a cluster that lacks some features. A device that only a taint would keep claims from is left out.
    func without(_ lacking: Set<ClusterFeature>) -> SliceContents {
        var contents = self
        if lacking.contains(.counters) {
            contents.counterSets = []
            contents.devices.removeAll { device in
                guard case .string(let kind)? = device.attributes?["kind"] else { return false }
                return PairDevices.kinds.contains(kind)
            }
        }
        if lacking.contains(.taints) {
            contents.devices.removeAll { $0.taints?.contains { $0.effect != .none } == true }
        }
        for index in contents.devices.indices {
            if lacking.contains(.counters) { contents.devices[index].consumesCounters = nil }
            if lacking.contains(.taints) { contents.devices[index].taints = nil }
            if lacking.contains(.sharing) {
                contents.devices[index].allowMultipleAllocations = nil
                for name in (contents.devices[index].capacity ?? [:]).keys { contents.devices[index].capacity?[name]?.requestPolicy = nil }
            }
        }
        return contents
    }
}
