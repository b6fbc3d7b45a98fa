// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// A part of the API that a cluster may have switched off. A server without it drops its fields, and says nothing.
package enum ClusterFeature: String, Hashable, Sendable, Codable, CaseIterable {
    case counters, taints, sharing

    /// The feature gate of Kubernetes that it stands behind.
    package var gate: String {
        switch self {
        case .counters: "DRAPartitionableDevices"
        case .taints: "DRADeviceTaints"
        case .sharing: "DRAConsumableCapacity"
        }
    }

    /// What is done without it.
    package func consequence(driver: String) -> String {
        switch self {
        case .counters: "pairs are no devices there; matchAttribute on \(driver)/pair works"
        case .taints: "a device in trouble is not published there for as long as it is"
        case .sharing: "a NIC is one claim's at a time there"
        }
    }

    /// Those that a slice makes use of.
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
