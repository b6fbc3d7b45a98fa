// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ClaimPreparation
import Discovery
import Hardware
import Journal
import JournalModel
import KubeletPlugin
import Kubernetes
import Linux
import Logging
import ResourceAPI
import ServiceLifecycle
import SliceModel
import SlicePublisher
import Topology

/// Takes a snapshot when something has changed, and passes the machine on to slices, claims, health and metrics.
///
/// The machine that was last published is kept as `machine.json` in the journal's folder: an interface that is in a pod is published from
/// there, and a device that had an interface and has none now is not prepared.
actor InventoryService: Service {
    struct Options {
        var node: String
        var policy: PublishingPolicy
        var topologyPolicy: TopologyPolicy
        var endpoint: APIEndpoint
    }

    private let options: Options
    private var discovery: Discovery
    private let resources: ResourceClient
    /// True once the cluster's destinations are known. Nothing is published before.
    private var knowsCluster = false
    private let journal: JournalFolder
    private let publisher: SlicePublisher
    private let preparer: ClaimPreparer
    private let board: HealthBoard
    private let events: EventService
    private let log: Logger
    private let names = PCINames()

    private var memory: MachineMemory
    private var known: Machine? { memory.machine }
    private var remarks: Set<String> = []
    /// Devices that were in pods at the last snapshot.
    private var attached: Set<String> = []
    private var damper = LinkDamper()
    private var health: HealthReport?
    private var nameTable = PCINameTable()
    private(set) var statistics = InventoryStatistics()
    /// Reasons to take a snapshot: any number of them is one.
    private let occasions: AsyncStream<Void>
    private let occasion: AsyncStream<Void>.Continuation
    /// When links are to be looked at again, and the earliest of that.
    private var armed: ContinuousClock.Instant?
    private let alarms: AsyncStream<ContinuousClock.Instant>
    private let alarm: AsyncStream<ContinuousClock.Instant>.Continuation

    init(
        _ options: Options, discovery: Discovery, resources: ResourceClient, journal: JournalFolder, publisher: SlicePublisher,
        preparer: ClaimPreparer,
        board: HealthBoard, events: EventService, log: Logger
    ) {
        self.options = options
        self.discovery = discovery
        self.resources = resources
        self.journal = journal
        self.publisher = publisher
        self.preparer = preparer
        self.board = board
        self.events = events
        self.log = log
        memory = MachineMemory(journal.machine, log: log)
        (alarms, alarm) = AsyncStream.makeStream()
        (occasions, occasion) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func refresh() async throws {
        let policy = options.policy
        // An interface is on the host or in a state, and at no moment in neither; but we look at one after the other. One that
        // comes back meanwhile is in the states of before, one that leaves in those of after.
        let before = journal.states().states
        let plans = journal.plans().plans
        discovery.destinations.note(options.endpoint)
        let snapshot = try discovery.snapshot()
        let (after, damaged) = journal.states()
        for error in damaged { log.error("state cannot be used", metadata: ["error": "\(error)"]) }
        let later = after.flatMap(\.attachments)
        let devices = Set(later.map(\.device))
        let attachments = later + before.flatMap(\.attachments).filter { !devices.contains($0.device) }
        let seen = snapshot.machine.including(attachments, known: known)
        let (machine, next) = damper.damped(seen, inPods: Set(attachments.map(\.device)), at: .now)
        if let next, armed.map({ next < $0 }) ?? true {
            armed = next
            alarm.yield(next)
        }
        let topology = MachineTopology(machine, policy: options.topologyPolicy, known: known)
        let held = Set(plans.flatMap(\.devices).flatMap { [$0.device] + ($0.group.map { [$0] } ?? []) })
        var report = HealthReport(topology, policy, held: held, known: known)
        let published = machine.devices.filter { policy.publishes($0, of: topology) }
        let missingInterfaces = machine.missingInterfaces(since: memory)
        report.add(
            .noInterface,
            published.compactMap { device in
                missingInterfaces[device.sliceName].map { (device.sliceName, $0.condition) }
            })
        report.add(.notRestored, attachments.compactMap { attachment in attachment.problem.map { (attachment.device, $0) } })
        tellLost(Set(attachments.map(\.device)), machine, held: held)
        names.complete(&nameTable, for: machine)
        let slices = SliceDevices(topology, policy, health: report, names: nameTable)
        note(snapshot.remarks + topology.warnings + slices.warnings)
        memory.keep(topology.remembered(policy, known: known, held: held), log: log)
        await preparer.update(
            devices: Dictionary(published.map { ($0.sliceName, $0) }, uniquingKeysWith: { first, _ in first }),
            groups: slices.pairs?.members ?? [:], topology: topology, missingInterfaces: missingInterfaces,
            attributes: Dictionary(slices.whole.devices.map { ($0.name, $0.attributes ?? [:]) }, uniquingKeysWith: { first, _ in first }))
        if knowsCluster { await publisher.publish(slices) }
        board.post(report.conditions(slices, held: held, pool: options.node))
        tell(report)
        statistics.snapshots += 1
        statistics.pairs = topology.pairing.pairs.count
        statistics.claims = plans.count
        statistics.conditions = Dictionary(report.findings.values.flatMap { $0 }.map { ($0.condition, 1) }, uniquingKeysWith: +)
        log.debug("snapshot", metadata: ["devices": "\(slices.whole.devices.count)"])
    }

    func run() async throws {
        let watcher = try HostWatcher(virtualPrefixes: options.policy.virtualNICs, log: log)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in watcher.changes { self.occasion.yield() } }
                group.addTask { await self.watchClock() }
                group.addTask { await self.learnCluster() }
                group.addTask { await self.watchStates() }
                // One after the other: an older snapshot must not be published after a newer one.
                group.addTask { for await _ in self.occasions { await self.look() } }
                await group.waitForAll()
            }
        }
    }

    private func look() async {
        do { try await refresh() } catch {
            log.error("the devices cannot be read; the last known ones stay published", metadata: ["error": "\(error)"])
        }
    }

    /// Reads the Node, whose pods the host has to reach. Nothing can be published without the API server either.
    ///
    /// The controller manager gives a Node the networks of its pods some time after it was registered, and never changes them
    /// (ValidateNodeUpdate): the Node is read until it has them, less and less often, as in some clusters it never has.
    private func learnCluster() async {
        var failures = 0
        var pause = Duration.seconds(2)
        while !Task.isCancelled {
            do throws(APIError) {
                discovery.destinations.note(try await resources.node(options.node))
                failures = 0
                let hasPodNetworks = !discovery.destinations.podNetworks.isEmpty
                if hasPodNetworks || !knowsCluster {
                    knowsCluster = true
                    occasion.yield()
                }
                if hasPodNetworks { return }
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, Self.longestNodePause)
            } catch {
                failures += 1
                if knowsCluster {
                    log.debug("the Node cannot be read", metadata: ["error": "\(error)"])
                } else {
                    log.warning("the Node cannot be read; nothing is published before", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: error.retryAfter.map(Backoff.pause(asked:)) ?? Backoff.pause(attempt: failures))
            }
        }
    }

    private static let longestNodePause = Duration.seconds(300)

    /// Looks again when nearside-nri has written or removed a state: the end of an attachment changes what is published, and the kernel
    /// announces nothing when an interface is lost for good.
    private func watchStates() async {
        guard let watch = await FolderWatch.waiting(for: journal.statesFolder) else { return }
        // States can have come before the watch, as those that are taken over from an older release.
        occasion.yield()
        for await _ in watch.changes {
            // Several files change together, and the announcements of interfaces have a pause of their own.
            guard (try? await Task.sleep(for: .milliseconds(100))) != nil else { return }
            occasion.yield()
        }
    }

    /// Looks again when a link has been steady for long enough: nothing announces that.
    private func watchClock() async {
        await withDiscardingTaskGroup { group in
            for await due in alarms {
                group.addTask {
                    guard (try? await Task.sleep(until: due + .milliseconds(10), clock: .continuous)) != nil else { return }
                    await self.ring(due)
                }
            }
            group.cancelAll()
        }
    }

    private func ring(_ due: ContinuousClock.Instant) {
        if armed == due { armed = nil }
        occasion.yield()
    }

    /// Reports devices that a pod had, and that are neither in a pod nor on the host now. Of one that a claim still holds the health
    /// report says so.
    private func tellLost(_ attached: Set<String>, _ machine: Machine, held: Set<String>) {
        let gone = self.attached.subtracting(attached).subtracting(held)
        self.attached = attached
        guard !gone.isEmpty else { return }
        for device in gone.subtracting(machine.devices.map(\.sliceName)).sorted() {
            log.warning("device lost in a pod", metadata: ["device": "\(device)"])
            events.tell(.warning, DeviceCondition.lost.began, "\(device): it did not come back from a pod, and is gone")
        }
    }

    /// Says what began and what ended.
    private func tell(_ report: HealthReport) {
        for change in report.changes(since: health ?? HealthReport()) {
            let text = "\(change.device): \(change.finding.message)"
            if change.began {
                log.warning(
                    "trouble",
                    metadata: [
                        "device": "\(change.device)", "trouble": "\(change.finding.condition.rawValue)",
                        "what": "\(change.finding.message)",
                    ])
                events.tell(.warning, change.finding.condition.began, text)
            } else {
                log.notice("trouble is over", metadata: ["device": "\(change.device)", "trouble": "\(change.finding.condition.rawValue)"])
                events.tell(.normal, change.finding.condition.ended, "\(change.device): \(change.finding.condition.rawValue) is over")
            }
        }
        health = report
    }

    /// Says once what is wrong, and again when it has been right in between.
    private func note(_ found: [String]) {
        for remark in found where !remarks.contains(remark) { log.warning("\(remark)") }
        remarks = Set(found)
    }
}
