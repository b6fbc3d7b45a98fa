// SPDX-License-Identifier: Apache-2.0

package import ResourceAPI

/// Whose slices they are.
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

/// What has to be written so that the API server holds the wished slices: nothing, when it does. Pure.
///
/// The rules are those of the Kubernetes helper library (k8s.io/dynamic-resource-allocation,
/// resourceslice controller), so that schedulers see one pool, whole, at every moment:
/// names begin with the slice's index; the generation stays when at most one slice changes and none is
/// new; what is obsolete goes first, then updates, then new slices.
package struct SlicePlan: Hashable, Sendable {
    package var deletions: [ResourceSlice] = []
    package var updates: [ResourceSlice] = []
    package var creations: [ResourceSlice] = []

    package var isEmpty: Bool { deletions.isEmpty && updates.isEmpty && creations.isEmpty }

    package init(wished: SliceContents, stored: [ResourceSlice], owner: SliceOwner) {
        let chunks = wished.parts

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
            return Self.part(of: slice) != chunks[index]
                || slice.spec.pool.resourceSliceCount != Int64(chunks.count)
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
                if slice.spec.pool != spec.pool || Self.part(of: slice) != chunks[index] {
                    slice.spec = spec
                    updates.append(slice)
                }
            } else {
                creations.append(
                    ResourceSlice(metadata: Self.metadata(index, count: chunks.count, owner: owner), spec: spec))
            }
        }
    }

    /// What a slice holds; the server leaves out lists that are empty.
    private static func part(of slice: ResourceSlice) -> SliceContents.Part {
        let counters = slice.spec.sharedCounters.flatMap { $0.isEmpty ? nil : $0 }
        return SliceContents.Part(devices: counters == nil ? slice.spec.devices ?? [] : nil, counterSets: counters)
    }

    private static func metadata(_ index: Int, count: Int, owner: SliceOwner) -> Metadata {
        let digits = String(index, radix: 16)
        let width = max(5, String(count - 1, radix: 16).utf8.count)
        let prefix = String(repeating: "0", count: width - digits.utf8.count) + digits
        return Metadata(
            generateName: "\(prefix)-\(owner.driver)-\(owner.node)-",
            ownerReferences: [
                OwnerReference(apiVersion: "v1", kind: "Node", name: owner.node, uid: owner.nodeUID)
            ])
    }

    /// The index that the name begins with; nil for a name of another form.
    private static func index(of slice: ResourceSlice) -> Int? {
        guard let name = slice.metadata.name, let dash = name.firstIndex(of: "-"),
            name[..<dash].utf8.count >= 5
        else { return nil }
        return Int(name[..<dash], radix: 16)
    }
}
