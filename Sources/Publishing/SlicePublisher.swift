// SPDX-License-Identifier: Apache-2.0

package import Kubernetes
package import Logging
import ResourceAPI

/// Keeps the slices at the API server as they are wished.
///
/// It writes only differences. What others do to the slices (the kubelet deletes all of a node when it
/// starts) comes back through a watch and is put right.
///
/// ## Concurrency model
/// An actor owns what is wished and what is stored. ``run()`` is the only writer; ``publish(_:)`` sets
/// a wish and wakes it.
package actor SlicePublisher {
    private let client: ResourceClient
    private let driver: String
    private let node: String
    private let log: Logger

    private var wished: SliceDevices?
    /// Whether the server keeps counters: without them pairs could be given out twice, and are not published.
    private var knowsCounters: Bool
    private let keep: @Sendable (Bool) -> Void
    private var stored: [String: ResourceSlice] = [:]
    private var owner: SliceOwner?
    /// The resource version that the watch has come to.
    private var seen = ""
    private let wakeUps: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    /// How long changes by others are let pile up before they are put right.
    private static let settling = Duration.milliseconds(500)

    /// - Parameters:
    ///   - knowsCounters: what an earlier instance found out.
    ///   - keep: where it is kept for the next one.
    package init(
        client: ResourceClient, driver: String, node: String, knowsCounters: Bool = true,
        keep: @escaping @Sendable (_ knowsCounters: Bool) -> Void = { _ in }, log: Logger
    ) {
        self.client = client
        self.knowsCounters = knowsCounters
        self.keep = keep
        self.driver = driver
        self.node = node
        self.log = log
        (wakeUps, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// What is to be published from now on.
    package func publish(_ devices: SliceDevices) {
        guard devices.withPairs != wished?.withPairs else { return }
        wished = devices
        wake.yield()
    }

    /// Works until it is cancelled.
    package func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await self.follow() }
            group.addTask { try await self.write() }
        }
    }

    /// What the server is to hold.
    private var contents: SliceContents? { wished.map { knowsCounters ? $0.withPairs : $0.withoutPairs } }

    // MARK: Writing

    private func write() async throws {
        var attempt = 0
        for await _ in wakeUps {
            do {
                try await synchronize()
                attempt = 0
            } catch {
                if Task.isCancelled { return }
                attempt += 1
                let pause = Backoff.pause(attempt: attempt)
                log.warning("slices could not be written; trying again", metadata: ["error": "\(error)", "pause": "\(pause)"])
                // What is stored may be another than we believe.
                if let conflict = error as? APIError, conflict.isConflict || conflict.isNotFound {
                    _ = try? await list()
                }
                try await Task.sleep(for: pause)
                wake.yield()
            }
        }
    }

    private func synchronize() async throws {
        guard let contents, let owner else { return }
        let plan = SlicePlan(wished: contents, stored: Array(stored.values), owner: owner)
        guard !plan.isEmpty else { return }
        for slice in plan.deletions {
            try await client.delete(slice)
            forget(slice)
        }
        for slice in plan.updates where try await !write(slice, isNew: false) { return }
        for slice in plan.creations where try await !write(slice, isNew: true) { return }
        log.info(
            "slices written",
            metadata: [
                "devices": "\(contents.devices.count)", "deleted": "\(plan.deletions.count)",
                "updated": "\(plan.updates.count)", "created": "\(plan.creations.count)",
            ])
    }

    /// Writes a slice; false when that showed that the server does not know counters, which it either drops or refuses. Then
    /// all is to be written anew without them: as counters are written first, no pair was ever published.
    private func write(_ slice: ResourceSlice, isNew: Bool) async throws -> Bool {
        let answer: ResourceSlice
        do throws(APIError) {
            answer = isNew ? try await client.create(slice) : try await client.replace(slice)
        } catch {
            guard error.isInvalid, slice.spec.sharedCounters != nil else { throw error }
            doWithoutCounters("\(error)")
            return false
        }
        remember(answer)
        let isLost =
            slice.spec.sharedCounters != nil && answer.spec.sharedCounters?.isEmpty ?? true
            || (slice.spec.devices ?? []).contains { $0.consumesCounters != nil }
                && !(answer.spec.devices ?? []).contains { $0.consumesCounters != nil }
        guard isLost, knowsCounters else { return true }
        doWithoutCounters("it drops them")
        return false
    }

    private func doWithoutCounters(_ reason: String) {
        knowsCounters = false
        keep(false)
        log.warning(
            "the cluster does not know shared counters (feature gate DRAPartitionableDevices): pairs are no devices there; matchAttribute on \(driver)/pair works",
            metadata: ["reason": "\(reason)"])
        wake.yield()
    }

    // MARK: Following

    private func list() async throws -> String {
        let list = try await client.slices(driver: driver, node: node)
        stored = [:]
        for slice in list.items { remember(slice) }
        return list.metadata?.resourceVersion ?? ""
    }

    private func follow() async throws {
        var attempt = 0
        while !Task.isCancelled {
            do {
                if owner == nil {
                    let uid = try await client.node(node).metadata.uid ?? ""
                    owner = SliceOwner(driver: driver, node: node, nodeUID: uid)
                }
                var version = try await list()
                wake.yield()
                attempt = 0
                while !Task.isCancelled {
                    version = try await watch(from: version)
                }
            } catch {
                if Task.isCancelled { return }
                attempt += 1
                if (error as? APIError)?.isGone != true {
                    log.warning("cannot follow the slices; beginning anew", metadata: ["error": "\(error)"])
                }
                try await Task.sleep(for: Backoff.pause(attempt: attempt))
            }
        }
    }

    /// One watch, until the server ends it; the version to go on from.
    private func watch(from version: String) async throws -> String {
        seen = version
        try await client.watchSlices(driver: driver, node: node, from: version) { event in
            switch event {
            case .bookmark(let version): await self.note(version)
            case .changed(let slice): await self.observe(slice, isDeleted: false)
            case .deleted(let slice): await self.observe(slice, isDeleted: true)
            }
        }
        return seen
    }

    private func note(_ version: String?) { seen = version ?? seen }

    private func observe(_ slice: ResourceSlice, isDeleted: Bool) async {
        note(slice.metadata.resourceVersion)
        guard let name = slice.metadata.name else { return }
        if isDeleted {
            // A deletion of an object that was since made anew under the same name is old news.
            guard let known = stored[name], known.metadata.uid == slice.metadata.uid else { return }
            stored[name] = nil
            // The kubelet deletes all when it starts, as it does with every new version: what the cluster takes may be
            // another thing since.
            if stored.isEmpty, !knowsCounters {
                knowsCounters = true
                keep(true)
            }
        } else {
            if let known = stored[name], !Self.isNewer(slice, than: known) { return }
            stored[name] = slice
        }
        guard let contents, let owner, !SlicePlan(wished: contents, stored: Array(stored.values), owner: owner).isEmpty
        else { return }
        try? await Task.sleep(for: Self.settling)
        wake.yield()
    }

    /// Our own writes come back through the watch, sometimes after we have written again.
    private static func isNewer(_ slice: ResourceSlice, than known: ResourceSlice) -> Bool {
        guard let new = slice.metadata.resourceVersion.flatMap({ UInt64($0) }),
            let old = known.metadata.resourceVersion.flatMap({ UInt64($0) })
        else { return slice != known }
        return new > old
    }

    private func remember(_ slice: ResourceSlice) {
        if let name = slice.metadata.name { stored[name] = slice }
    }

    private func forget(_ slice: ResourceSlice) {
        if let name = slice.metadata.name { stored[name] = nil }
    }
}
