// SPDX-License-Identifier: Apache-2.0

package import ClaimPlanning
import ControlProtocol
import Hardware
package import Journal
package import JournalModel
package import Kubernetes
package import Logging
import ResourceAPI

/// A device of a prepared claim, as the kubelet's API has it.
package struct PreparedDevice: Hashable, Sendable {
    package var requests: [String]
    package var pool: String
    package var device: String
    package var cdiDeviceIDs: [String]
    package var shareID: String?
}

/// Prepares claims and releases them: both can be asked for twice, and both survive a kill between any two steps.
///
/// ## Concurrency model
/// An actor with two kinds of locks that the other instance of a rolling update takes too. The lock of a claim is held while the claim is
/// read and while its files change. The lock of the plans is held between reading all plans and writing one, and nothing is awaited
/// under it: which claim gets a device is decided there. The plan itself is computed before, outside of the actor. No call holds either
/// lock while it waits for `nearside-nri`: a plan in the phase `released` keeps others out meanwhile.
///
/// Calls of the kubelet run on threads of their own (`ClaimExecutors`), all others on ``BlockingExecutor``: this actor reads and writes
/// files on the thread of its caller.
package actor ClaimPreparer {
    /// The choices of the operator, and the places of files.
    package struct Options: Sendable {
        package var driver: String
        /// The time that `nearside-nri` may take to bring a claim's interfaces back.
        package var releaseTimeout = Duration.seconds(30)
        /// Folders in which vendors' tools write their CDI specifications.
        package var vendorSpecFolders = ["/etc/cdi", "/var/run/cdi"]
        /// Called for every claim that cannot be prepared, and without an error for every one that was released.
        package var report: (@Sendable (ClaimIdentity, ClaimError?) -> Void)?
        /// The options that concern plans.
        package var planning: PlannerOptions
        /// The folder with the locks that another instance of this driver takes too: during a rolling update there are two.
        package var lockFolder: String?
        /// The pool of this node; nil when any will do.
        package var pool: String?
        /// The memory of prepared claims over a restart of the machine; nil for none.
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
    /// Claims that the kubelet was told are prepared, and whose plans are gone, by UID.
    var lost: [String: ClaimIdentity] = [:]
    var published = PublishedDevices()
    /// Features of plans that `nearside-nri` knows, by its last answer; nil before that.
    var injectorFeatures: Set<String>?

    package init(
        _ options: Options, resources: ResourceClient, journal: JournalFolder, log: Logger
    ) {
        self.options = options
        self.resources = resources
        self.journal = journal
        self.log = log
        plans = PlanCache(journal) { log.error("plan cannot be used", metadata: ["error": "\($0)"]) }
    }

    /// Takes over the devices of the latest observation.
    package func update(_ devices: PublishedDevices) { published = devices }

    // MARK: Prepare

    /// Prepares a claim, and reports one that cannot be prepared.
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
        // Asked before the claim is read: the answer is awaited when the claim is known to need it.
        let readiness = ask(.status, timeout: Self.statusTimeout)
        var recent: (claim: ResourceClaim, end: ContinuousClock.Instant)?
        while true {
            let known = recent.flatMap { ContinuousClock.now < $0.end ? $0.claim : nil }
            recent = nil
            switch try await attempt(identity, known, readiness, until: end) {
            case .prepared(let plan):
                // Before the kubelet's answer: the runtime has to resolve the names that are in it.
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

    /// Makes `nearside-nri` write the CDI specification of a claim that has a plan.
    func publish(_ identity: ClaimIdentity) async throws(ClaimError) {
        let answer = ask(.publish(claim: identity.uid), timeout: Self.statusTimeout)
        // Meanwhile, and only when the claim has not been released.
        if plans.plan(identity.uid)?.phase == .prepared { remember(identity) }
        try await require(answer, identity)
    }

    /// The result of an attempt to prepare under the claim's lock.
    enum Attempt: Sendable {
        case prepared(ClaimPlan)
        /// The claim needs the answer of `nearside-nri`, which is not there yet.
        case awaitsInjector(ResourceClaim)
        /// Another claim still has a device.
        case held(ClaimPlan, ClaimError)
    }

    /// - Parameter known: the claim, when it was read just now.
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

    /// The claim as the cluster has it now.
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
                "the kubelet asks for UID \(identity.uid), the cluster has \(claim.metadata.uid ?? "none")")
        }
        return claim
    }

    /// The kubelet waits 45 seconds for all claims of a pod.
    private static let prepareTimeout = Duration.seconds(40)

    /// The time in which reading a claim is retried; the last attempt may take ten seconds more.
    private static let readTimeout = Duration.seconds(20)

    /// A claim that was read within this time is not read again: no other call can have prepared and released it meanwhile.
    private static let recentTime = Duration.milliseconds(200)

    /// `nearside-nri` may be attaching a pod with many interfaces, each of which takes the kernel some 30 ms.
    private static let statusTimeout = Duration.seconds(5)

    /// Makes the plan of a claim again, without asking `nearside-nri`: the kubelet was told that the claim is prepared.
    func remake(_ identity: ClaimIdentity, _ claim: ResourceClaim, until end: ContinuousClock.Instant) async throws(ClaimError) {
        let lock = try await lockClaim(identity, until: end)
        defer { withExtendedLifetime(lock) {} }
        try await remakeLocked(identity, claim, until: end)
    }

    /// Makes the plan of a claim again whose lock is held.
    func remakeLocked(_ identity: ClaimIdentity, _ claim: ResourceClaim, until end: ContinuousClock.Instant) async throws(ClaimError) {
        if case .held(_, let error) = try await plan(identity, claim, until: end) { throw error }
    }

    /// True when something of the claim may have to be moved into the pod.
    private func needsInjector(_ claim: ResourceClaim) -> Bool {
        let results = (claim.status?.allocation?.devices.results ?? []).filter { $0.driver == options.driver }
        let names = results.flatMap { published.groups[$0.device] ?? [$0.device] }
        return names.compactMap { published.devices[$0] }.contains {
            $0.kind == .nic && (!$0.netdevs.isEmpty || PlanningFacts.isRDMAExclusive)
        }
    }

    /// One entry for each allocated device; that of a pair has the CDI names of all its members.
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

    /// Waits for an answer of `nearside-nri`: without it and its connection to the runtime a pod would start without its interfaces.
    ///
    /// - Returns: the features of plans that it knows, for an answer to `status`. Releases that name none know none.
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
