// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// A feature of the API that a cluster may have disabled. A server without the feature drops its fields silently.
package enum ClusterFeature: String, Hashable, Sendable, Codable, CaseIterable {
    case counters, taints, sharing

    /// The feature gate of Kubernetes.
    package var gate: String {
        switch self {
        case .counters: "DRAPartitionableDevices"
        case .taints: "DRADeviceTaints"
        case .sharing: "DRAConsumableCapacity"
        }
    }

    /// Returns the effect of the missing feature on published devices, for logs.
    package func consequence(driver: String) -> String {
        switch self {
        case .counters: "pairs are not published as devices; use matchAttribute on \(driver)/pair"
        case .taints: "a device with a condition is not published until the condition ends"
        case .sharing: "a NIC is allocated to one claim at a time"
        }
    }

    /// Returns the features that a slice uses.
    package static func used(by spec: ResourceSliceSpec) -> Set<ClusterFeature> {
        var used: Set<ClusterFeature> = []
        let devices = spec.devices ?? []
        if spec.sharedCounters?.isEmpty == false || devices.contains(where: { $0.consumesCounters?.isEmpty == false }) {
            used.insert(.counters)
        }
        if devices.contains(where: { $0.taints?.isEmpty == false }) { used.insert(.taints) }
        if devices.contains(where: { $0.allowMultipleAllocations == true }) { used.insert(.sharing) }
        return used
    }
}
