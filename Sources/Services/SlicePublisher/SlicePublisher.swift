// SPDX-License-Identifier: Apache-2.0

package import Kubernetes
import Linux
package import Logging
import Primitives
import ResourceAPI
package import SliceModel

/// Reconciles the slices at the API server with their desired state.
///
/// Writes only differences. Changes by other writers (the kubelet deletes all slices of a node when it starts) arrive through a watch and
/// are reverted. A cluster drops or refuses fields of features that it lacks: the first answer shows this, it is logged once, and slices
/// are written without these fields.
///
/// ## Concurrency model
/// An actor owns the desired devices and the view of the cluster. The task in `write()` is the only writer; ``publish(_:)`` sets the
/// desired devices and wakes it.
package actor SlicePublisher {
    /// Figures for metrics.
    package struct Statistics: Hashable, Sendable {
        package var created = 0
        package var updated = 0
        package var deleted = 0
        package var failures = 0
        package var devices = 0
        package var slices = 0
        package var refused = 0
        package var missingFeatures: Set<ClusterFeature> = []
        /// True if the server has the desired slices.
        package var isCurrent = false
    }

    private let slices: NodeSlices
    private let log: Logger
    private let keep: @Sendable (Set<ClusterFeature>) -> Void
    private var desired: SliceDevices?
    private var cluster: ClusterView
    private var statistics = Statistics()
    private var repairDelay = RepairDelay()
    /// True while writes wait for the registration with the kubelet.
    private var awaitsRegistration: Bool
    private let wakeup = Wakeup()
    /// Announces that repairs are due at another time.
    private let repairs = Wakeup()

    /// The longest backoff, also used after an error that only a change of the cluster or of the devices can end.
    private static let longestBackoff = Duration.seconds(30)
    private static let longestBackoffAfterRefusal = Duration.seconds(300)
    /// A watch that ends sooner counts as failed, with any answer.
    private static let shortWatch = Duration.seconds(5)

    /// - Parameters:
    ///   - missingFeatures: features that an earlier instance found missing.
    ///   - keep: saves missing features for the next instance.
    ///   - awaitsRegistration: true if a node without slices gets none before ``registered()``: a pod that is scheduled before the
    ///     kubelet knows the driver fails, and is retried much later.
    package init(
        client: ResourceClient, driver: String, node: String, missingFeatures: Set<ClusterFeature> = [],
        keep: @escaping @Sendable (_ missingFeatures: Set<ClusterFeature>) -> Void = { _ in }, awaitsRegistration: Bool = false,
        log: Logger
    ) {
        slices = NodeSlices(client: client, driver: driver, node: node)
        cluster = ClusterView(missingFeatures: missingFeatures)
        self.keep = keep
        self.awaitsRegistration = awaitsRegistration
        self.log = log
    }

    /// Sets the desired devices.
    package func publish(_ devices: SliceDevices) {
        guard devices.whole != desired?.whole else { return }
        desired = devices
        wakeup.signal()
    }

    /// Allows writes, after the kubelet has registered the driver.
    package func registered() {
        guard awaitsRegistration else { return }
        awaitsRegistration = false
        wakeup.signal()
    }

    package var current: Statistics {
        var statistics = statistics
        statistics.missingFeatures = cluster.missingFeatures
        statistics.refused = cluster.refusedDevices
        statistics.devices = desired.map { cluster.contents($0).devices.count } ?? 0
        statistics.slices = cluster.store.slices.count
        statistics.isCurrent = plan?.isEmpty ?? false
        return statistics
    }

    /// Runs until cancellation.
    package func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await self.follow() }
            group.addTask { try await self.write() }
            group.addTask { try await self.wakeLater() }
        }
    }

    private var plan: SlicePlan? { desired.flatMap { cluster.plan($0) } }

    // MARK: Writing

    private func write() async throws {
        var attempt = 0
        for await _ in wakeup.signals {
            do {
                try await synchronize()
                attempt = 0
            } catch {
                if Task.isCancelled { return }
                attempt += 1
                statistics.failures += 1
                try await recover(from: error, attempt: attempt)
            }
        }
    }

    private func recover(from error: any Error, attempt: Int) async throws {
        let apiError = error as? APIError
        let isRefused = apiError?.isInvalid == true || apiError?.isForbidden == true
        let longest = isRefused ? Self.longestBackoffAfterRefusal : Self.longestBackoff
        let delay = apiError?.retryAfter.map(Backoff.delay(asked:)) ?? Backoff.delay(attempt: attempt, longest: longest)
        log.warning("slices not written; retrying", metadata: ["error": "\(error)", "delay": "\(delay)"])
        try await Task.sleep(for: delay)
        // The server may have other slices than recorded, for example if the answer to a write was lost.
        if apiError?.leavesDoubt == true { try? await list() }
        wakeup.signal()
    }

    private func synchronize() async throws {
        guard let plan, !plan.isEmpty else { return }
        guard !awaitsRegistration else {
            log.notice("this node has no slices yet; they are written after the registration with the kubelet")
            return
        }
        for slice in plan.deletions {
            try await slices.client.delete(slice)
            cluster.deleted(slice)
            statistics.deleted += 1
        }
        for (slice, isNew) in plan.updates.map({ ($0, false) }) + plan.creations.map({ ($0, true) }) {
            guard try await write(slice, isNew: isNew) else {
                wakeup.signal()
                return
            }
        }
        log.info(
            "slices written",
            metadata: [
                "devices": "\(desired.map { cluster.contents($0).devices.count } ?? 0)", "deleted": "\(plan.deletions.count)",
                "updated": "\(plan.updates.count)", "created": "\(plan.creations.count)",
            ])
    }

    /// Writes a slice; false if the answer changes the plan. Counters are written before the devices that consume them, so that a cluster
    /// can never allocate a pair twice.
    private func write(_ slice: ResourceSlice, isNew: Bool) async throws(APIError) -> Bool {
        let finding: ClusterView.Finding?
        do throws(APIError) {
            let answer = isNew ? try await slices.client.create(slice) : try await slices.client.replace(slice)
            finding = cluster.written(slice, answer)
            if isNew { statistics.created += 1 } else { statistics.updated += 1 }
        } catch {
            guard error.isInvalid, !error.isForbidden, let refusal = cluster.refused(slice, error) else { throw error }
            finding = refusal
        }
        return report(finding, slice)
    }

    /// Logs a finding, and saves missing features.
    ///
    /// - Returns: false if the finding changes the plan.
    private func report(_ finding: ClusterView.Finding?, _ slice: ResourceSlice) -> Bool {
        switch finding {
        case nil: return true
        case .changed:
            log.warning(
                "slice changed by the API server; the server's form is kept",
                metadata: ["slice": "\(slice.metadata.name ?? slice.metadata.generateName ?? "")"])
            return true
        case .missing(let features, let reason):
            for feature in features.sorted(by: { $0.rawValue < $1.rawValue }) {
                log.warning(
                    "cluster feature missing",
                    metadata: [
                        "feature": "\(feature.rawValue)", "gate": "\(feature.gate)",
                        "consequence": "\(feature.consequence(driver: slices.driver))", "reason": "\(reason)",
                    ])
            }
            keep(cluster.missingFeatures)
        case .refused(let devices):
            for device in devices {
                log.error(
                    "device not published: the API server refuses it",
                    metadata: ["device": "\(device.name)", "field": "\(device.field)", "error": "\(device.message)"])
            }
        }
        return false
    }

    // MARK: Following

    private func list() async throws(APIError) { cluster.list(try await slices.list()) }

    private func follow() async throws {
        var attempt = 0
        while !Task.isCancelled {
            do {
                let owner = try await slices.owner()
                try await list()
                // Set only now, because nothing is written before the stored slices are known.
                cluster.owner = owner
                if !cluster.store.slices.isEmpty { awaitsRegistration = false }
                wakeup.signal()
                while !Task.isCancelled {
                    let start = ContinuousClock.now
                    try await slices.watch(from: cluster.store.version) { await self.observe($0) }
                    attempt = ContinuousClock.now - start < Self.shortWatch ? attempt + 1 : 0
                    if attempt > 1 { try await Task.sleep(for: Backoff.delay(attempt: attempt)) }
                }
            } catch {
                if Task.isCancelled { return }
                attempt += 1
                let apiError = error as? APIError
                if apiError?.isGone != true { log.warning("watch of slices failed; listing again", metadata: ["error": "\(error)"]) }
                try await Task.sleep(for: apiError?.retryAfter.map(Backoff.delay(asked:)) ?? Backoff.delay(attempt: attempt))
            }
        }
    }

    private func observe(_ event: WatchEvent<ResourceSlice>) {
        guard cluster.observe(event) else { return }
        if cluster.forgetLimits() { keep(cluster.missingFeatures) }
        guard plan?.isEmpty == false else { return }
        _ = repairDelay.next(at: .now)
        repairs.signal()
    }

    /// Wakes the writer after a delay that collects more changes.
    private func wakeLater() async throws {
        for await _ in repairs.signals {
            try await Task.sleep(until: repairDelay.due, clock: .continuous)
            wakeup.signal()
        }
    }
}
