// SPDX-License-Identifier: Apache-2.0

import Kubernetes
import ResourceAPI

/// The known slices at the API server, from a list, a watch, and the answers to this driver's writes, which the watch reports later. A
/// value.
struct SliceStore {
    private var byName: [String: ResourceSlice] = [:]
    /// The resource version up to which changes are known.
    var version = ""

    /// Replaces the slices by a list. Keeps slices that were written after the list was made.
    mutating func replace(with list: ObjectList<ResourceSlice>) {
        let listed = list.metadata?.resourceVersion ?? ""
        let newer = byName.filter { _, slice in
            guard let own = slice.metadata.resourceVersion.flatMap({ UInt64($0) }), let all = UInt64(listed) else { return false }
            return own > all
        }
        byName = [:]
        for slice in list.items { remember(slice) }
        byName.merge(newer) { $1 }
        version = listed
    }

    var slices: [ResourceSlice] { Array(byName.values) }

    /// Records the answer to a write, unless the watch has reported a later change.
    mutating func remember(_ slice: ResourceSlice) {
        guard let name = slice.metadata.name else { return }
        if let known = byName[name], known.metadata.uid == slice.metadata.uid, !Self.isNewer(slice, than: known) { return }
        byName[name] = slice
    }

    mutating func forget(_ slice: ResourceSlice) {
        if let name = slice.metadata.name { byName[name] = nil }
    }

    /// Records an event of a watch.
    ///
    /// - Returns: false if nothing has changed.
    mutating func observe(_ event: WatchEvent<ResourceSlice>) -> Bool {
        switch event {
        case .bookmark(let version):
            if !version.isEmpty { self.version = version }
            return false
        case .changed(let slice):
            version = slice.metadata.resourceVersion ?? version
            guard let name = slice.metadata.name else { return false }
            if let known = byName[name], !Self.isNewer(slice, than: known) { return false }
            byName[name] = slice
            return true
        case .deleted(let slice):
            version = slice.metadata.resourceVersion ?? version
            // The object may have been recreated under the same name.
            guard let name = slice.metadata.name, byName[name]?.metadata.uid == slice.metadata.uid else { return false }
            byName[name] = nil
            return true
        }
    }

    /// True if the slice is newer. The watch also reports this driver's writes, sometimes after a later write. Versions are compared as
    /// numbers (KEP-5504); versions that are not numbers count as newer if the slices differ.
    private static func isNewer(_ slice: ResourceSlice, than known: ResourceSlice) -> Bool {
        guard let new = slice.metadata.resourceVersion.flatMap({ UInt64($0) }),
            let old = known.metadata.resourceVersion.flatMap({ UInt64($0) })
        else { return slice != known }
        return new > old
    }
}
