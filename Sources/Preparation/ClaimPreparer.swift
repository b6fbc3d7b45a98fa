// SPDX-License-Identifier: Apache-2.0

package import CDI
package import Hardware
import InjectorSocket
package import Journal
package import Kubernetes
import Linux
package import Logging
import Netlink
package import ResourceAPI
package import Topology

/// A device of a prepared claim, as the kubelet wants to hear of it.
package struct PreparedDevice: Hashable, Sendable {
    package var requests: [String]
    package var pool: String
    package var device: String
    package var cdiDeviceIDs: [String]
    package var shareID: String?
}

/// Prepares claims and gives them up again: both can be asked for twice, and both survive a kill
/// between any two steps.
///
/// ## Concurrency model
/// An actor: between reading the journal and writing it back nothing is awaited, so what was read holds.
/// Fetching the claim and asking `nearside-nri` come before; two calls for one claim do the same.
package actor ClaimPreparer {
    package struct Options: Sendable {
        package var driver: String
        package var gatePath: String?
        /// How long `nearside-nri` may take to bring a claim's interfaces back, in milliseconds.
        package var releasePatience = 30_000
        /// Where vendors' tools write their CDI specifications.
        package var vendorSpecFolders = ["/etc/cdi", "/var/run/cdi"]
        /// Told of every claim that cannot be prepared, and of every one that was given up.
        package var report: (@Sendable (ClaimIdentity, ClaimError?) -> Void)?
        /// Whether containers get files that tell of their devices (KEP-5304).
        package var tellsDevices = false
        /// The file whose lock another instance of this driver takes too: during a rolling update there are two.
        package var lockPath: String?

        package init(driver: String, gatePath: String?, lockPath: String? = nil) {
            self.driver = driver
            self.gatePath = gatePath
            self.lockPath = lockPath
        }
    }

    private let options: Options
    private let resources: ResourceClient
    private let journal: JournalFolder
    private let plans: PlanCache
    private let specs: SpecFolder
    private let log: Logger
    private var devices: [String: Device] = [:]
    private var groups: [String: [String]] = [:]
    private var topology: MachineTopology?
    private var attributes: [String: [String: DeviceAttribute]] = [:]
    /// The interface that each device had when it last had one, since this program started.
    private var interfaces: [String: String] = [:]

    package init(
        _ options: Options, resources: ResourceClient, journal: JournalFolder, specs: SpecFolder, log: Logger
    ) {
        self.options = options
        self.resources = resources
        self.journal = journal
        self.specs = specs
        self.log = log
        plans = PlanCache(journal) { log.error("plan cannot be used", metadata: ["error": "\($0)"]) }
    }

    /// The devices of this node by their name in slices, from the latest snapshot.
    package func update(
        devices: [String: Device], groups: [String: [String]], topology: MachineTopology, attributes: [String: [String: DeviceAttribute]]
    ) {
        self.attributes = attributes
        self.devices = devices
        self.groups = groups
        self.topology = topology
        for (name, device) in devices { if let netdev = device.netdevs.first { interfaces[name] = netdev.name } }
    }

    // MARK: Prepare

    package func prepare(_ identity: ClaimIdentity) async throws(ClaimError) -> [PreparedDevice] {
        do throws(ClaimError) { return try await prepareNow(identity) } catch {
            options.report?(identity, error)
            throw error
        }
    }

    private func prepareNow(_ identity: ClaimIdentity) async throws(ClaimError) -> [PreparedDevice] {
        // Both take their time: the answer is waited for when the claim is known to need it.
        let readiness = ask(.status, milliseconds: Self.statusPatience)
        let claim: ResourceClaim
        do throws(APIError) {
            claim = try await resources.claim(identity.name, namespace: identity.namespace, patience: Self.readPatience)
        } catch {
            throw ClaimError("claim \(identity) cannot be read: \(error)")
        }
        guard claim.metadata.uid == identity.uid else {
            throw ClaimError(
                "claim \(identity) was replaced: the kubelet asks for UID \(identity.uid), the cluster has \(claim.metadata.uid ?? "none")")
        }
        // Before anything is decided: other calls run while we wait for the answer.
        if needsInjector(claim) { try await requireInjector(readiness, identity) }
        return try await prepare(identity, claim)
    }

    /// The kubelet waits 45 seconds for all claims of a pod.
    private static let readPatience = Duration.seconds(20)

    /// It may be in the middle of a pod with many interfaces, each of which takes the kernel some 30 ms.
    private static let statusPatience = 5000

    /// Nobody holds it longer than it takes to write two files, unless it is frozen.
    private static let lockPatience = Duration.seconds(10)

    private func lock(_ identity: ClaimIdentity) async throws(ClaimError) -> Descriptor? {
        guard let path = options.lockPath else { return nil }
        do { return try await FileLock.wait(path, pause: .milliseconds(5), patience: Self.lockPatience) } catch {
            throw ClaimError("claim \(identity): another instance of this driver is in the middle of a claim and does not go on: \(error)")
        }
    }

    private func prepare(_ identity: ClaimIdentity, _ claim: ResourceClaim) async throws(ClaimError) -> [PreparedDevice] {
        let lock = try await lock(identity)
        defer { withExtendedLifetime(lock) {} }
        let (outcome, existing) = try plan(claim)
        do {
            // The plan first: from then on the devices are taken, whatever happens. One that was damaged is remembered, and made anew.
            if outcome.plan != existing || journal.isDamaged(identity.uid) { try plans.write(outcome.plan) }
            if let text = outcome.ncclTopology { try journal.writeWorkload(text, identity.uid) }
            for (request, metadata) in outcome.metadata {
                try journal.writeWorkload(try metadata.text(), identity.uid, request: request)
            }
            if let spec = outcome.spec { try specs.write(spec, named: specName(identity.uid)) }
        } catch { throw ClaimError("claim \(identity): \(error)") }
        log.info("prepared", metadata: ["claim": "\(identity)", "devices": "\(outcome.plan.devices.count)"])
        return Self.prepared(outcome.plan)
    }

    /// True when something of the claim may have to be moved into the pod.
    private func needsInjector(_ claim: ResourceClaim) -> Bool {
        (claim.status?.allocation?.devices.results ?? []).filter { $0.driver == options.driver }
            .flatMap { groups[$0.device] ?? [$0.device] }.compactMap { devices[$0] }
            .contains { $0.kind == .nic && (!$0.netdevs.isEmpty || Self.movesRDMA) }
    }

    /// One answer for each device that was allocated; a pair's has what all its members need.
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

    /// What is to be done for the claim as things are now, and what was planned for it before.
    private func plan(_ claim: ResourceClaim) throws(ClaimError) -> (outcome: ClaimPlanner.Outcome, existing: ClaimPlan?) {
        let existing = claim.metadata.uid.flatMap(plans.plan)
        if let existing, existing.phase == .released {
            throw ClaimError("claim \(existing.claim) is being given up; it can be prepared when that is done")
        }
        var planner = ClaimPlanner(
            driver: options.driver, devices: devices, groups: groups, gatePath: options.gatePath, gateSocket: journal.socket)
        let results = (claim.status?.allocation?.devices.results ?? []).filter { $0.driver == options.driver }
        let names = Set(results.flatMap { groups[$0.device] ?? [$0.device] } + (existing?.devices.map(\.device) ?? []))
        let claimed = devices.filter { names.contains($0.key) }
        planner.vendorNames = VendorSpecs(folders: options.vendorSpecFolders).names(for: claimed)
        planner.topology = topology
        planner.lostInterfaces = interfaces.filter { devices[$0.key]?.netdevs.isEmpty == true }
        planner.movesRDMA = Self.movesRDMA
        planner.tellsDevices = options.tellsDevices
        planner.attributes = attributes
        planner.workloadFolder = journal.workloads
        let configs = claim.status?.allocation?.devices.config ?? []
        if configs.contains(where: { $0.opaque?.driver == options.driver && $0.opaque?.parameters["ethtool"] != nil }) {
            planner.facts = facts(of: claimed.values.flatMap(\.netdevs))
        }
        return (try planner.plan(claim, others: Array(plans.all())), existing)
    }

    /// Asked each time: it costs two system calls, and RDMA can be loaded while we run. It cannot change while a pod runs.
    private static var movesRDMA: Bool { (try? RDMANetlink().sharing()) == .exclusive }

    /// What can be read of interfaces that are on the host; of the others nothing is known now, and they were checked before.
    private func facts(of netdevs: [Netdev]) -> [String: InterfaceFacts] {
        do throws(NetlinkError) {
            guard let ethtool = try Ethtool() else { return [:] }
            let socket = try NetlinkSocket()
            var facts: [String: InterfaceFacts] = [:]
            for netdev in netdevs {
                guard let link = try socket.link(named: netdev.name) else { continue }
                facts[netdev.name] = InterfaceFacts(
                    features: try ethtool.names(.features, of: link.index).map { Set($0.keys) },
                    privateFlags: Set((try ethtool.names(.privateFlags, of: link.index) ?? [:]).keys))
            }
            return facts
        } catch {
            log.warning("features of interfaces cannot be read", metadata: ["error": "\(error)"])
            return [:]
        }
    }

    /// Without `nearside-nri` and its connection to the runtime a pod would start without its
    /// interfaces, so it is not even begun.
    private func requireInjector(_ readiness: InjectorAnswer, _ identity: ClaimIdentity) async throws(ClaimError) {
        switch await readiness.value {
        case .success(.ok): return
        case .success(.refused(let why)): throw ClaimError("claim \(identity): \(why)")
        case .failure(let error): throw ClaimError("claim \(identity): \(error)")
        }
    }

    private func ask(_ request: InjectorRequest, milliseconds: Int) -> InjectorAnswer {
        InjectorAnswer(to: request, socket: journal.socket, milliseconds: milliseconds)
    }

    // MARK: Further pods

    /// Writes into the plans of prepared claims that the pod uses them, where it does. Plans that were damaged are made anew before.
    package func note(pod name: String, namespace: String, uid: String) async throws(ClaimError) {
        let pod: Pod
        do throws(APIError) { pod = try await resources.pod(name, namespace: namespace, patience: Self.podPatience) } catch {
            throw ClaimError("pod \(namespace)/\(name) cannot be read: \(error)")
        }
        guard pod.metadata.uid == uid else {
            throw ClaimError(
                "pod \(namespace)/\(name) was replaced: the runtime has UID \(uid), the cluster \(pod.metadata.uid ?? "none")")
        }
        let names = pod.claimNames
        guard !names.isEmpty else { return }
        try await remakeLost(names, namespace)
        do {
            var lock: Descriptor?
            if let path = options.lockPath {
                lock = try await FileLock.wait(path, pause: .milliseconds(5), patience: Self.podPatience)
            }
            defer { withExtendedLifetime(lock) {} }
            for plan in plans.all() where journal.isDamaged(plan.claim.uid) { try plans.write(plan) }
            for var plan in plans.all()
            where plan.phase == .prepared && plan.claim.namespace == namespace && names.contains(plan.claim.name)
                && !plan.pods.contains(uid)
            {
                plan.pods.append(uid)
                try plans.write(plan)
                log.info("another pod uses the claim", metadata: ["claim": "\(plan.claim)", "pod": "\(namespace)/\(name)"])
            }
        } catch { throw ClaimError("pod \(namespace)/\(name): \(error)") }
    }

    /// Prepares those of the claims again whose plans were damaged while nobody remembered them: the kubelet asks once and not again.
    private func remakeLost(_ names: Set<String>, _ namespace: String) async throws(ClaimError) {
        guard !plans.lostClaims().isEmpty else { return }
        for name in names.sorted() {
            let claim: ResourceClaim
            do throws(APIError) { claim = try await resources.claim(name, namespace: namespace, patience: Self.podPatience) } catch {
                throw ClaimError("claim \(namespace)/\(name) cannot be read: \(error)")
            }
            guard let uid = claim.metadata.uid, plans.lostClaims().contains(uid) else { continue }
            _ = try await prepare(ClaimIdentity(namespace: namespace, name: name, uid: uid), claim)
        }
    }

    /// The runtime waits two seconds for all plugins, unless it is told otherwise.
    private static let podPatience = Duration.milliseconds(800)

    // MARK: Unprepare

    package func unprepare(_ identity: ClaimIdentity) async throws(ClaimError) {
        // Held to the end: nobody may find a claim half given up.
        let lock = try await lock(identity)
        defer { withExtendedLifetime(lock) {} }
        let plan = plans.plan(identity.uid)
        // Also without a plan, which may have been damaged: what has left the host comes back.
        if plan == nil, journal.hasState(identity.uid) { try await release(identity) }
        do {
            if var plan {
                if plan.phase == .prepared {
                    // From here on nothing is attached any more.
                    plan.phase = .released
                    try plans.write(plan)
                }
                if plan.hasInterfaces { try await release(identity) }
            }
            try specs.remove(named: specName(identity.uid))
            try journal.removeWorkloads(identity.uid)
            try journal.removePlan(identity.uid)
            if plan != nil { options.report?(identity, nil) }
        } catch let error as ClaimError { throw error } catch { throw ClaimError("claim \(identity): \(error)") }
        log.info("given up", metadata: ["claim": "\(identity)"])
    }

    private func release(_ identity: ClaimIdentity) async throws(ClaimError) {
        switch await ask(.release(claim: identity.uid), milliseconds: options.releasePatience).value {
        case .success(.ok): return
        case .success(.refused(let why)): throw ClaimError("claim \(identity): \(why)")
        case .failure(let error):
            throw ClaimError("claim \(identity): its interfaces cannot be brought back: \(error)")
        }
    }

    private func specName(_ uid: String) -> String { "\(options.driver)-\(uid)" }
}
