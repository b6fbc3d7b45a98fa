// SPDX-License-Identifier: Apache-2.0

import Kubernetes
import ResourceAPI
import SliceModel

/// The slices at the API server, and the parts of desired slices that the cluster does not accept. A value.
struct ClusterView {
    /// The result of the server's answer to a write.
    enum Finding {
        /// The server lacks these features: its answer omits their fields, or refuses them.
        case missing(Set<ClusterFeature>, reason: String)
        /// The server refuses these devices.
        case refused([RefusedDevice])
        /// The server stores the slice with other changes.
        case changed
    }

    struct RefusedDevice {
        var name: String
        var field: String
        var message: String
    }

    private(set) var store = SliceStore()
    /// Nil before the slices were listed; nothing is written before.
    var owner: SliceOwner?
    private(set) var missingFeatures: Set<ClusterFeature>
    /// Devices that the server refused, in their form at that time. Slices are written without them.
    private var refused: [String: SliceDevice] = [:]
    /// The stored forms of parts that the server changes.
    private var accepted: [SliceContents.Part: SliceContents.Part] = [:]

    init(missingFeatures: Set<ClusterFeature>) { self.missingFeatures = missingFeatures }

    var refusedDevices: Int { refused.count }

    /// The contents of slices that the cluster accepts. A refused device is written again after it has changed.
    func contents(_ desired: SliceDevices) -> SliceContents {
        var contents = desired.contents(lacking: missingFeatures)
        contents.devices.removeAll { refused[$0.name] == $0 }
        return contents
    }

    /// The remaining writes; nil before the slices were listed.
    func plan(_ desired: SliceDevices) -> SlicePlan? {
        owner.map { SlicePlan(desired: contents(desired), stored: store.slices, owner: $0, accepted: accepted) }
    }

    // MARK: Answers

    mutating func list(_ slices: ObjectList<ResourceSlice>) { store.replace(with: slices) }

    mutating func deleted(_ slice: ResourceSlice) { store.forget(slice) }

    /// Records the answer to a write.
    ///
    /// - Returns: nil if the server stores the slice unchanged, or changes it in a known way.
    mutating func written(_ slice: ResourceSlice, _ answer: ResourceSlice) -> Finding? {
        store.remember(answer)
        let dropped = ClusterFeature.used(by: slice.spec).subtracting(ClusterFeature.used(by: answer.spec))
        if !dropped.isEmpty { return miss(dropped, reason: "the server drops the fields") }
        let (sent, kept) = (SliceContents.Part(of: slice.spec), SliceContents.Part(of: answer.spec))
        return sent != kept && accepted.updateValue(kept, forKey: sent) == nil ? .changed : nil
    }

    /// Records the refusal of a slice.
    ///
    /// - Returns: nil if the refusal names neither counters nor devices.
    mutating func refused(_ slice: ResourceSlice, _ error: APIError) -> Finding? {
        if slice.spec.sharedCounters != nil { return miss([.counters], reason: "\(error)") }
        let devices = slice.spec.devices ?? []
        var found: [RefusedDevice] = []
        for cause in error.causes {
            guard let index = cause.deviceIndex, devices.indices.contains(index) else { continue }
            let device = devices[index]
            guard !found.contains(where: { $0.name == device.name }) else { continue }
            refused[device.name] = device
            found.append(RefusedDevice(name: device.name, field: cause.field ?? "", message: cause.message ?? error.message))
        }
        return found.isEmpty ? nil : .refused(found)
    }

    private mutating func miss(_ features: Set<ClusterFeature>, reason: String) -> Finding {
        let new = features.subtracting(missingFeatures)
        missingFeatures.formUnion(features)
        return .missing(new, reason: reason)
    }

    /// Records an event of the watch.
    ///
    /// - Returns: true if the event changes the store.
    mutating func observe(_ event: WatchEvent<ResourceSlice>) -> Bool { store.observe(event) }

    /// Forgets limits of the cluster after all slices were deleted: the kubelet deletes them when it starts, for example after an upgrade
    /// of the cluster, which may accept more then.
    ///
    /// - Returns: true if there were limits.
    mutating func forgetLimits() -> Bool {
        guard store.slices.isEmpty, !missingFeatures.isEmpty || !refused.isEmpty else { return false }
        missingFeatures = []
        refused = [:]
        return true
    }
}

extension APIError.Cause {
    /// The index of a device in a slice: 5 for `spec.devices[5].attributes[...]`, and in v1beta1 `spec.devices[5].basic...`.
    fileprivate var deviceIndex: Int? {
        let start = "spec.devices["
        guard let field, field.hasPrefix(start) else { return nil }
        return Int(field.dropFirst(start.count).prefix { $0 != "]" })
    }
}
