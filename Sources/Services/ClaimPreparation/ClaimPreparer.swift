// SPDX-License-Identifier: Apache-2.0

package import ClaimPlanning
import ControlProtocol
import Hardware
package import Journal
package import JournalModel
package import Kubernetes
package import Logging
import ResourceAPI

/// A device of a prepared claim, as in the kubelet's API.
package struct PreparedDevice: Hashable, Sendable {
    package var requests: [String]
    package var pool: String
    package var device: String
    package var cdiDeviceIDs: [String]
    package var shareID: String?
}

/// Prepares and releases claims. Both operations are idempotent, and survive a kill between any two steps.
///
/// ## Concurrency model
/// An actor with two kinds of locks, which exclude the other instance of a rolling update too. The lock of a claim is held while the
/// claim is read and while its files change. The lock of the plans is held, without suspension, from reading all plans until writing one:
/// this decides which claim gets a device. The plan is computed before, outside of the actor. No call holds a lock while it waits for
/// `nearside-nri`: the plan's phase `released` excludes other calls in the meantime.
///
/// Calls of the kubelet run on their own threads (`ClaimExecutors`), all other calls on ``BlockingExecutor``: this actor reads and writes
/// files on the thread of its caller.
package actor ClaimPreparer {
    /// Settings of the operator, and paths.
    package struct Options: Sendable {
        package var driver: String
        /// The time-out of `nearside-nri` for restoring a claim's devices.
        package var releaseTimeout = Duration.seconds(30)
        /// Folders with the CDI specifications of vendors' tools.
        package var vendorSpecFolders = ["/etc/cdi", "/var/run/cdi"]
        /// Is called for each claim that cannot be prepared, and without an error for each released claim.
        package var report: (@Sendable (ClaimIdentity, ClaimError?) -> Void)?
        /// The options for plans.
        package var planning: PlannerOptions
        /// The folder with the locks shared with the other instance of a rolling update.
        package var lockFolder: String?
        /// The pool of this node; nil to accept any pool.
        package var pool: String?
        /// The record of prepared claims that survives a restart of the machine; nil to keep none.
        package var prepared: PreparedClaims?

        package init(driver: String, lockFolder: String? = nil) {
            self.driver = driver
            planning = PlannerOptions(driver: driver)
            self.lockFolder = lockFolder
        }
    }

    let options: Options
    let resources: ResourceClient
    let journal: JournalFolder
    let plans: PlanCache
    let log: Logger
    /// Claims that the kubelet has recorded as prepared but whose plans are gone, by UID.
    var lost: [String: ClaimIdentity] = [:]
    var published = PublishedDevices()
    /// Features of plans that `nearside-nri` supports, by its last answer; nil before the first answer.
    var injectorFeatures: Set<String>?

    package init(
        _ options: Options, resources: ResourceClient, journal: JournalFolder, log: Logger
    ) {
        self.options = options
        self.resources = resources
        self.journal = journal
        self.log = log
        plans = PlanCache(journal) { log.error("reading a plan failed", metadata: ["error": "\($0)"]) }
    }

    /// Sets the devices of the latest observation.
    package func update(_ devices: PublishedDevices) { published = devices }

    // MARK: Prepare

    /// Prepares a claim, and reports a failure.
    ///
    /// - Returns: one entry for each allocated device.
    package func prepare(_ identity: ClaimIdentity) async throws(ClaimError) -> [PreparedDevice] {
        do throws(ClaimError) { return try await prepareNow(identity) } catch {
            options.report?(identity, error)
            throw error
        }
    }

    private func prepareNow(_ identity: ClaimIdentity) async throws(ClaimError) -> [PreparedDevice] {
        let end = ContinuousClock.now + Self.prepareTimeout
        let releaseEnd = ContinuousClock.now + Self.heldTimeout
        // The query runs while the claim is read, and is awaited only if the claim needs it.
        let readiness = ask(.status, timeout: Self.statusTimeout)
        var recent: (claim: ResourceClaim, end: ContinuousClock.Instant)?
        while true {
            let known = recent.flatMap { ContinuousClock.now < $0.end ? $0.claim : nil }
            recent = nil
            switch try await attempt(identity, known, readiness, until: end) {
            case .prepared(let plan):
                // Before the answer to the kubelet: the runtime resolves the CDI names of the answer.
                try await publish(identity)
                log.info("claim prepared", metadata: ["claim": "\(identity)", "devices": "\(plan.devices.count)"])
                return Self.prepared(plan)
            case .awaitsInjector(let claim):
                recent = (claim, ContinuousClock.now + Self.recentTime)
                _ = await readiness.value
            case .held(let holder, let error): try await awaitRelease(of: holder, error, until: releaseEnd)
            }
        }
    }

    /// Asks `nearside-nri` to write the CDI specification of a claim with a plan.
    func publish(_ identity: ClaimIdentity) async throws(ClaimError) {
        let answer = ask(.publish(claim: identity.uid), timeout: Self.statusTimeout)
        // In parallel with the request, and only if the claim has not been released.
        if plans.plan(identity.uid)?.phase == .prepared { remember(identity) }
        try await require(answer, identity)
    }

    /// The result of an attempt to prepare under the claim's lock.
    enum Attempt: Sendable {
        case prepared(ClaimPlan)
        /// The claim needs the pending answer of `nearside-nri`.
        case awaitsInjector(ResourceClaim)
        /// Another claim still holds a device.
        case held(ClaimPlan, ClaimError)
    }

    /// - Parameter known: the claim, if it was read within ``recentTime``.
    private func attempt(
        _ identity: ClaimIdentity, _ known: ResourceClaim?, _ readiness: PendingReply, until end: ContinuousClock.Instant
    ) async throws(ClaimError) -> Attempt {
        let lock = try await lockClaim(identity, until: end)
        defer { withExtendedLifetime(lock) {} }
        let claim = if let known { known } else { try await fetch(identity, until: end) }
        if needsInjector(claim) {
            guard readiness.isThere else { return .awaitsInjector(claim) }
            injectorFeatures = try await require(readiness, identity)
        }
        return try await plan(identity, claim, until: end)
    }

    /// The claim in the cluster.
    func fetch(_ identity: ClaimIdentity, until end: ContinuousClock.Instant) async throws(ClaimError) -> ResourceClaim {
        let claim: ResourceClaim
        do throws(APIError) {
            claim = try await resources.claim(
                identity.name, namespace: identity.namespace, timeout: min(Self.readTimeout, end - ContinuousClock.now))
        } catch {
            throw ClaimError(.unreadable, identity, step: "read", "\(error)")
        }
        guard claim.metadata.uid == identity.uid else {
            throw ClaimError(
                .replaced, identity, step: "read",
                "the UID is \(identity.uid) in the kubelet's request and \(claim.metadata.uid ?? "none") in the cluster")
        }
        return claim
    }

    /// The kubelet's time-out for all claims of a pod is 45 seconds.
    private static let prepareTimeout = Duration.seconds(40)

    /// The time-out for retries of reading a claim; the last attempt may take ten seconds more.
    private static let readTimeout = Duration.seconds(20)

    /// A claim that was read within this time is not read again: no other call can have prepared and released it in between.
    private static let recentTime = Duration.milliseconds(200)

    /// `nearside-nri` may be attaching many interfaces, for each of which the kernel needs some 30 ms.
    private static let statusTimeout = Duration.seconds(5)

    /// Computes the plan of a claim again, without `nearside-nri`: the kubelet has recorded the claim as prepared.
    func remake(_ identity: ClaimIdentity, _ claim: ResourceClaim, until end: ContinuousClock.Instant) async throws(ClaimError) {
        let lock = try await lockClaim(identity, until: end)
        defer { withExtendedLifetime(lock) {} }
        try await remakeLocked(identity, claim, until: end)
    }

    /// Computes the plan of a claim again whose lock is held.
    func remakeLocked(_ identity: ClaimIdentity, _ claim: ResourceClaim, until end: ContinuousClock.Instant) async throws(ClaimError) {
        if case .held(_, let error) = try await plan(identity, claim, until: end) { throw error }
    }

    /// True if a device of the claim may have to move into the pod.
    private func needsInjector(_ claim: ResourceClaim) -> Bool {
        let results = (claim.status?.allocation?.devices.results ?? []).filter { $0.driver == options.driver }
        let names = results.flatMap { published.groups[$0.device] ?? [$0.device] }
        return names.compactMap { published.devices[$0] }.contains {
            $0.kind == .nic && (!$0.netdevs.isEmpty || PlanningFacts.isRDMAExclusive)
        }
    }

    /// One entry for each allocated device; a pair has the CDI names of all its members.
    private static func prepared(_ plan: ClaimPlan) -> [PreparedDevice] {
        var answers: [PreparedDevice] = []
        for device in plan.devices {
            let request = String(device.request.prefix { $0 != "/" })
            let name = device.group ?? device.device
            let isMember = { (answer: PreparedDevice) in
                answer.device == name && answer.pool == device.pool && answer.requests == [request] && answer.shareID == device.shareID
            }
            if let index = answers.firstIndex(where: isMember) {
                answers[index].cdiDeviceIDs += device.cdiDeviceIDs
            } else {
                answers.append(
                    PreparedDevice(
                        requests: [request], pool: device.pool, device: name, cdiDeviceIDs: device.cdiDeviceIDs, shareID: device.shareID))
            }
        }
        return answers
    }

    /// Waits for an answer of `nearside-nri`. Without the daemon and its connection to the runtime, a pod would start without its
    /// interfaces.
    ///
    /// - Returns: the supported features of plans, for an answer to `status`; none for releases that list none.
    @discardableResult
    func require(_ answer: PendingReply, _ identity: ClaimIdentity) async throws(ClaimError) -> Set<String> {
        switch await answer.value {
        case .success(.ok): return []
        case .success(.supports(let features)): return Set(features)
        case .success(.refused(let reason)): throw ClaimError(.injectorRefused, identity, reason)
        case .failure(let error): throw ClaimError(.injectorUnreachable, identity, "\(error)")
        }
    }

    /// Sends a request to `nearside-nri`.
    func ask(_ request: ControlRequest, timeout: Duration) -> PendingReply {
        PendingReply(to: request, socket: journal.socket, timeout: timeout)
    }
}
