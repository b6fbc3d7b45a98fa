// SPDX-License-Identifier: Apache-2.0

import Primitives
package import ResourceAPI

/// The owner of slices: a driver on a node.
package struct SliceOwner: Hashable, Sendable {
    package var driver: String
    package var node: String
    package var nodeUID: String

    package init(driver: String, node: String, nodeUID: String) {
        self.driver = driver
        self.node = node
        self.nodeUID = nodeUID
    }
}

/// The writes that bring the slices at the API server to the desired contents. Pure.
///
/// The rules are those of the Kubernetes helper library (k8s.io/dynamic-resource-allocation, resourceslice controller), so that
/// schedulers see one complete pool at every moment: names begin with the slice's index; the generation stays if at most one slice
/// changes and no slice is new; obsolete slices are deleted first, then slices are updated, then created.
package struct SlicePlan: Hashable, Sendable {
    package var deletions: [ResourceSlice] = []
    package var updates: [ResourceSlice] = []
    package var creations: [ResourceSlice] = []

    package var isEmpty: Bool { deletions.isEmpty && updates.isEmpty && creations.isEmpty }

    package init(desired: SliceContents, stored: [ResourceSlice], owner: SliceOwner) {
        self.init(desired: desired, stored: stored, owner: owner, accepted: [:])
    }

    /// - Parameter accepted: stored contents of parts that the server changes, which count as equal to the desired ones.
    package init(
        desired: SliceContents, stored: [ResourceSlice], owner: SliceOwner, accepted: [SliceContents.Part: SliceContents.Part]
    ) {
        let chunks = desired.parts
        func holds(_ slice: ResourceSlice, _ part: SliceContents.Part) -> Bool {
            let held = SliceContents.Part(of: slice.spec)
            return held == part || accepted[part] == held
        }

        let highest = stored.map(\.spec.pool.generation).max()
        var kept: [Int: ResourceSlice] = [:]
        for slice in stored.sorted(by: { ($0.metadata.name ?? "") < ($1.metadata.name ?? "") }) {
            let index = Self.index(of: slice)
            if slice.spec.pool.generation == highest, slice.spec.pool.name == owner.node, let index,
                index < chunks.count, kept[index] == nil
            {
                kept[index] = slice
            } else {
                deletions.append(slice)
            }
        }
        let isChanged = chunks.indices.filter { index in
            guard let slice = kept[index] else { return false }
            return !holds(slice, chunks[index]) || slice.spec.pool.resourceSliceCount != Int64(chunks.count)
                || !Self.isOwned(slice, owner)
        }
        let isNew = chunks.indices.filter { kept[$0] == nil }
        let old = highest ?? 0
        let generation = isNew.isEmpty && isChanged.count <= 1 ? old : highest == nil ? 1 : old + 1
        for index in chunks.indices {
            let spec = ResourceSliceSpec(
                driver: owner.driver,
                pool: ResourcePool(
                    name: owner.node, generation: generation, resourceSliceCount: Int64(chunks.count)),
                nodeName: owner.node, devices: chunks[index].devices, sharedCounters: chunks[index].counterSets)
            if var slice = kept[index] {
                if slice.spec.pool != spec.pool || !holds(slice, chunks[index]) || !Self.isOwned(slice, owner) {
                    let times = Self.times(of: slice)
                    slice.spec = spec
                    slice.metadata.ownerReferences = Self.owners(owner)
                    // A remaining taint keeps the time at which the server first saw it.
                    for device in (slice.spec.devices ?? []).indices {
                        for taint in (slice.spec.devices?[device].taints ?? []).indices {
                            guard let name = slice.spec.devices?[device].name, let value = slice.spec.devices?[device].taints?[taint] else {
                                continue
                            }
                            slice.spec.devices?[device].taints?[taint].timeAdded = times[name]?[value]
                        }
                    }
                    updates.append(slice)
                }
            } else {
                creations.append(
                    ResourceSlice(metadata: Self.metadata(index, count: chunks.count, owner: owner), spec: spec))
            }
        }
    }

    private static func owners(_ owner: SliceOwner) -> [OwnerReference] {
        [OwnerReference(apiVersion: "v1", kind: "Node", name: owner.node, uid: owner.nodeUID)]
    }

    /// Returns true for a slice of this Node object. A recreated Node has a new UID, and the garbage collector deletes objects of the old
    /// one.
    private static func isOwned(_ slice: ResourceSlice, _ owner: SliceOwner) -> Bool {
        slice.metadata.ownerReferences?.contains { $0.kind == "Node" && $0.uid == owner.nodeUID } ?? false
    }

    /// Returns the time of each taint of each device.
    private static func times(of slice: ResourceSlice) -> [String: [DeviceTaint: String]] {
        var times: [String: [DeviceTaint: String]] = [:]
        for device in slice.spec.devices ?? [] {
            for taint in device.taints ?? [] { times[device.name, default: [:]][taint] = taint.timeAdded }
        }
        return times
    }

    private static func metadata(_ index: Int, count: Int, owner: SliceOwner) -> Metadata {
        let prefix = Hex.text(UInt(index), width: max(5, String(count - 1, radix: 16).utf8.count))
        return Metadata(
            generateName: "\(prefix)-\(owner.driver)-\(owner.node)-",
            ownerReferences: owners(owner))
    }

    /// Returns the index at the beginning of the name; nil for a name of another form.
    private static func index(of slice: ResourceSlice) -> Int? {
        guard let name = slice.metadata.name, let dash = name.firstIndex(of: "-"),
            name[..<dash].utf8.count >= 5
        else { return nil }
        return Int(name[..<dash], radix: 16)
    }
}
