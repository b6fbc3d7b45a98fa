// SPDX-License-Identifier: Apache-2.0

package import Kubernetes
package import Logging
import ResourceAPI
package import SliceModel

/// Keeps the slices at the API server as they are wished.
///
/// It writes only differences. What others do to the slices (the kubelet deletes all of a node when it
/// starts) comes back through a watch and is put right. What a cluster does not know it drops from what is written, or
/// refuses; that is noticed with the first answer, told of once, and done without.
///
/// ## Concurrency model
/// An actor owns what is wished and what is stored. The task in `write()` is the only writer; ``publish(_:)`` sets
/// a wish and wakes it.
package actor SlicePublisher {
    /// What has become of it, for metrics.
    package struct Statistics: Hashable, Sendable {
        package var created = 0
        package var updated = 0
        package var deleted = 0
        package var failures = 0
        package var devices = 0
        package var slices = 0
        package var refused = 0
        package var lacking: Set<ClusterFeature> = []
        /// Whether the server holds what is wished.
        package var isCurrent = false
    }

    private let client: ResourceClient
    private let driver: String
    private let node: String
    private let log: Logger

    private var wished: SliceDevices?
    /// What the cluster is known to lack.
    private var lacking: Set<ClusterFeature>
    private let keep: @Sendable (Set<ClusterFeature>) -> Void
    /// Devices that the server refused, in the form in which it did: without them the others are taken.
    private var refused: [String: SliceDevice] = [:]
    /// What the server makes of parts that it does not keep as they are, for reasons of its own.
    private var accepted: [SliceContents.Part: SliceContents.Part] = [:]
    private var store = SliceStore()
    private var owner: SliceOwner?
    private var statistics = Statistics()
    private var repairs = RepairPace()
    /// True while nothing is written because the kubelet does not know the driver yet.
    private var awaitsRegistration: Bool

    private let wakeUps: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let delays: AsyncStream<Duration>
    private let delay: AsyncStream<Duration>.Continuation

    /// - Parameters:
    ///   - lacking: what an earlier instance found out.
    ///   - keep: where it is kept for the next one.
    ///   - awaitsRegistration: whether a node without slices gets none before ``registered()``: a pod that is scheduled onto it before
    ///     the kubelet knows the driver fails and is tried again much later.
    package init(
        client: ResourceClient, driver: String, node: String, lacking: Set<ClusterFeature> = [],
        keep: @escaping @Sendable (_ lacking: Set<ClusterFeature>) -> Void = { _ in }, awaitsRegistration: Bool = false, log: Logger
    ) {
        self.client = client
        self.lacking = lacking
        self.keep = keep
        self.awaitsRegistration = awaitsRegistration
        self.driver = driver
        self.node = node
        self.log = log
        (wakeUps, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (delays, delay) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// What is to be published from now on.
    package func publish(_ devices: SliceDevices) {
        guard devices.whole != wished?.whole else { return }
        wished = devices
        wake.yield()
    }

    /// The kubelet knows the driver.
    package func registered() {
        guard awaitsRegistration else { return }
        awaitsRegistration = false
        wake.yield()
    }

    package var current: Statistics {
        var statistics = statistics
        statistics.lacking = lacking
        statistics.refused = refused.count
        statistics.devices = contents?.devices.count ?? 0
        statistics.slices = store.slices.count
        statistics.isCurrent = plan?.isEmpty ?? false
        return statistics
    }

    /// Works until it is cancelled.
    package func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await self.follow() }
            group.addTask { try await self.write() }
            group.addTask { try await self.wakeLater() }
        }
    }

    /// What the server is to hold.
    private var contents: SliceContents? {
        guard var contents = wished?.contents(lacking: lacking) else { return nil }
        // A device that has changed since is tried again.
        contents.devices.removeAll { refused[$0.name] == $0 }
        return contents
    }

    private var plan: SlicePlan? {
        guard let contents, let owner else { return nil }
        return SlicePlan(desired: contents, stored: store.slices, owner: owner, accepted: accepted)
    }

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
                statistics.failures += 1
                let apiError = error as? APIError
                // What nobody can mend soon is not tried again soon.
                let longest = apiError?.isInvalid == true || apiError?.isForbidden == true ? Duration.seconds(300) : .seconds(30)
                let pause = apiError?.retryAfter.map(Backoff.pause(asked:)) ?? Backoff.pause(attempt: attempt, longest: longest)
                log.warning("slices could not be written; trying again", metadata: ["error": "\(error)", "pause": "\(pause)"])
                try await Task.sleep(for: pause)
                // What is stored may be another than we believe, also when the answer to a write did not come.
                if apiError?.leavesDoubt == true { try? await list() }
                wake.yield()
            }
        }
    }

    private func synchronize() async throws {
        guard let plan, !plan.isEmpty else { return }
        guard !awaitsRegistration else {
            log.notice("this node has no slices yet; they are written when the kubelet has registered this driver")
            return
        }
        for slice in plan.deletions {
            try await client.delete(slice)
            store.forget(slice)
            statistics.deleted += 1
        }
        for (slice, isNew) in plan.updates.map({ ($0, false) }) + plan.creations.map({ ($0, true) }) {
            guard try await write(slice, isNew: isNew) else {
                wake.yield()
                return
            }
        }
        log.info(
            "slices written",
            metadata: [
                "devices": "\(contents?.devices.count ?? 0)", "deleted": "\(plan.deletions.count)",
                "updated": "\(plan.updates.count)", "created": "\(plan.creations.count)",
            ])
    }

    /// Writes a slice; false when that showed that something else has to be written. As counters are written before what draws
    /// on them, no pair is ever published that a cluster could give out twice.
    private func write(_ slice: ResourceSlice, isNew: Bool) async throws -> Bool {
        let answer: ResourceSlice
        do throws(APIError) {
            answer = isNew ? try await client.create(slice) : try await client.replace(slice)
        } catch {
            guard error.isInvalid, !error.isForbidden else { throw error }
            if slice.spec.sharedCounters != nil {
                doWithout([.counters], "\(error)")
            } else if !leaveOut(slice, error) {
                throw error
            }
            return false
        }
        store.remember(answer)
        if isNew { statistics.created += 1 } else { statistics.updated += 1 }
        let lost = ClusterFeature.used(by: slice.spec).subtracting(ClusterFeature.used(by: answer.spec))
        guard lost.isEmpty else {
            doWithout(lost, "it drops the fields")
            return false
        }
        let (sent, kept) = (SliceContents.Part(of: slice.spec), SliceContents.Part(of: answer.spec))
        if sent != kept, accepted.updateValue(kept, forKey: sent) == nil {
            log.warning(
                "the API server keeps a slice other than it was written; what it made of it stays",
                metadata: ["slice": "\(answer.metadata.name ?? "")"])
        }
        return true
    }

    private func doWithout(_ features: Set<ClusterFeature>, _ reason: String) {
        for feature in features.subtracting(lacking).sorted(by: { $0.rawValue < $1.rawValue }) {
            log.warning(
                "the cluster has no \(feature.rawValue) (feature gate \(feature.gate)): \(feature.consequence(driver: driver))",
                metadata: ["reason": "\(reason)"])
        }
        lacking.formUnion(features)
        keep(lacking)
    }

    /// Takes out the devices that the server says are wrong, so that the others are published; false when it names none.
    private func leaveOut(_ slice: ResourceSlice, _ error: APIError) -> Bool {
        var names: Set<String> = []
        for cause in error.causes {
            guard let index = cause.deviceIndex,
                let device = slice.spec.devices?.indices.contains(index) == true ? slice.spec.devices?[index] : nil
            else { continue }
            if names.insert(device.name).inserted {
                refused[device.name] = device
                log.error(
                    "a device is not published: the API server refuses it",
                    metadata: ["device": "\(device.name)", "field": "\(cause.field ?? "")", "error": "\(cause.message ?? error.message)"])
            }
        }
        return !names.isEmpty
    }

    // MARK: Following

    private func list() async throws {
        store.replace(with: try await client.slices(driver: driver, node: node))
    }

    private func follow() async throws {
        var attempt = 0
        while !Task.isCancelled {
            do {
                let uid = try await client.node(node).metadata.uid ?? ""
                try await list()
                // Only now: nothing is written before it is known what is there.
                owner = SliceOwner(driver: driver, node: node, nodeUID: uid)
                if !store.slices.isEmpty { awaitsRegistration = false }
                wake.yield()
                while !Task.isCancelled {
                    let start = ContinuousClock.now
                    try await client.watchSlices(driver: driver, node: node, from: store.version) { await self.observe($0) }
                    // One that is ended as soon as it is begun is a failure, whatever the answer says.
                    attempt = ContinuousClock.now - start < .seconds(5) ? attempt + 1 : 0
                    if attempt > 1 { try await Task.sleep(for: Backoff.pause(attempt: attempt)) }
                }
            } catch {
                if Task.isCancelled { return }
                attempt += 1
                let apiError = error as? APIError
                if apiError?.isGone != true {
                    log.warning("cannot follow the slices; beginning anew", metadata: ["error": "\(error)"])
                }
                try await Task.sleep(for: apiError?.retryAfter.map(Backoff.pause(asked:)) ?? Backoff.pause(attempt: attempt))
            }
        }
    }

    private func observe(_ event: WatchEvent<ResourceSlice>) {
        guard store.observe(event) else { return }
        // The kubelet deletes all when it starts, as it does with every new version: what the cluster takes may be
        // another thing since.
        if store.slices.isEmpty, !lacking.isEmpty || !refused.isEmpty {
            lacking = []
            refused = [:]
            keep(lacking)
        }
        if plan?.isEmpty == false { delay.yield(repairs.pause(at: .now)) }
    }

    /// Puts right what others did, after a while in which more of it can come.
    private func wakeLater() async throws {
        for await pause in delays {
            try await Task.sleep(for: pause)
            wake.yield()
        }
    }
}

extension APIError.Cause {
    /// Which of a slice's devices it is about: 5 for `spec.devices[5].attributes[...]`, and in v1beta1 `spec.devices[5].basic...`.
    fileprivate var deviceIndex: Int? {
        let start = "spec.devices["
        guard let field, field.hasPrefix(start) else { return nil }
        return Int(field.dropFirst(start.count).prefix { $0 != "]" })
    }
}
