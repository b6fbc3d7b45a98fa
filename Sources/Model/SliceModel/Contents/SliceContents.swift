// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// The devices and counters of all slices of a node.
package struct SliceContents: Hashable, Sendable {
    package var devices: [SliceDevice]
    package var counterSets: [CounterSet]

    package init(devices: [SliceDevice], counterSets: [CounterSet] = []) {
        self.devices = devices
        self.counterSets = counterSets
    }

    /// The devices or counters of one slice.
    package struct Part: Hashable {
        package var devices: [SliceDevice]?
        package var counterSets: [CounterSet]?

        package init(devices: [SliceDevice]? = nil, counterSets: [CounterSet]? = nil) {
            self.devices = devices
            self.counterSets = counterSets
        }

        /// Reads the contents of a slice; the server omits empty lists.
        package init(of spec: ResourceSliceSpec) {
            counterSets = spec.sharedCounters.flatMap { $0.isEmpty ? nil : $0 }
            devices = counterSets == nil ? spec.devices ?? [] : nil
        }
    }

    /// The contents split by the limits of a slice. Counters come first, in separate slices, so that they exist before a device
    /// consumes them. An empty pool is one empty slice, which shows that the driver runs and has no devices.
    var parts: [Part] {
        let isHeavy = devices.contains { $0.consumesCounters != nil || $0.taints != nil }
        let size = isHeavy ? Limits.heavyDevicesPerSlice : Limits.devicesPerSlice
        var parts = stride(from: 0, to: devices.count, by: size).map {
            Part(devices: Array(devices[$0..<min($0 + size, devices.count)]))
        }
        if parts.isEmpty { parts = [Part(devices: [])] }
        return (counterSets.isEmpty ? [] : [Part(counterSets: counterSets)]) + parts
    }

    /// Returns the contents for a cluster that lacks some features. Without taints, devices that need one are omitted.
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
