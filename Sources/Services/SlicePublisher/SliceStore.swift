// SPDX-License-Identifier: Apache-2.0

import Kubernetes
import ResourceAPI

/// The slices as the API server has them, as far as is known: from a list, from a watch, and from the answers to our own
/// writes, which the watch tells of later. A value.
struct SliceStore {
    private var byName: [String: ResourceSlice] = [:]
    /// The resource version that the watch has come to.
    var version = ""

    /// Takes over what a list says. What we wrote while it was on its way is not in it, and is no less there.
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

    /// Takes in an answer to a write. The watch can have told of a later change before it came.
    mutating func remember(_ slice: ResourceSlice) {
        guard let name = slice.metadata.name else { return }
        if let known = byName[name], known.metadata.uid == slice.metadata.uid, !Self.isNewer(slice, than: known) { return }
        byName[name] = slice
    }

    mutating func forget(_ slice: ResourceSlice) {
        if let name = slice.metadata.name { byName[name] = nil }
    }

    /// Takes in what a watch says; false when that is no news.
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
            // A deletion of an object that was since made anew under the same name is old news.
            guard let name = slice.metadata.name, byName[name]?.metadata.uid == slice.metadata.uid else { return false }
            byName[name] = nil
            return true
        }
    }

    /// Our own writes come back through the watch, sometimes after we have written again. Versions can be compared as numbers
    /// (KEP-5504); where they are none, what is different is newer.
    private static func isNewer(_ slice: ResourceSlice, than known: ResourceSlice) -> Bool {
        guard let new = slice.metadata.resourceVersion.flatMap({ UInt64($0) }),
            let old = known.metadata.resourceVersion.flatMap({ UInt64($0) })
        else { return slice != known }
        return new > old
    }
}

/// How soon what others do to the slices is put right: at once, in effect, but later and later for one who does it again and
/// again, as a second driver of the same name would.
package struct RepairPace {
    private var last: ContinuousClock.Instant?
    private var count = 0

    package init() {}

    static let first = Duration.milliseconds(500)
    static let longest = Duration.seconds(30)
    /// A minute without a repair is peace.
    static let peace = Duration.seconds(60)

    package mutating func pause(at now: ContinuousClock.Instant) -> Duration {
        if let last, now - last < Self.first { return Self.pause(count) }
        if let last, now - last < Self.peace { count += 1 } else { count = 0 }
        last = now
        return Self.pause(count)
    }

    private static func pause(_ count: Int) -> Duration { min(first * (1 << min(count, 8)), longest) }
}
