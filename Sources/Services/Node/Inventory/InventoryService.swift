// SPDX-License-Identifier: Apache-2.0

import ClaimPreparation
import Discovery
import Journal
import KubeletPlugin
import Linux
import Logging
import ResourceAPI
import ServiceLifecycle
import SliceModel
import SlicePublisher
import Topology

/// Observes the host after each change, and passes its devices on to claims, slices, health and metrics.
actor InventoryService: Service {
    /// The consumers of the devices.
    struct Consumers: Sendable {
        let publisher: SlicePublisher
        let preparer: ClaimPreparer
        let board: HealthBoard
        let pool: String
    }

    private var source: HostSource
    private var inventory: Inventory
    private var reporter: ConditionReporter
    private let consumers: Consumers
    private let reader: NodeReader
    private let journal: JournalFolder
    private let log: Logger
    private(set) var statistics = InventoryStatistics()
    private let wakeup: Wakeup
    private let alarm: Alarm

    init(
        _ source: HostSource, _ inventory: Inventory, consumers: Consumers, reader: NodeReader, journal: JournalFolder,
        events: EventService, log: Logger
    ) {
        self.source = source
        self.inventory = inventory
        self.consumers = consumers
        self.reader = reader
        self.journal = journal
        self.log = log
        reporter = ConditionReporter(events: events, log: log)
        wakeup = Wakeup()
        alarm = Alarm(wakeup)
    }

    /// Observes the host, and passes on its devices. Calls must not overlap: an older observation must not be published after a newer
    /// one.
    func refresh() async throws {
        // An observation that began before the Node was read lacks the cluster's networks, even if they are known at its end.
        let knowsCluster = source.knowsCluster
        let observation = try await source.observe()
        source.note(apiServers: observation.apiServers)
        let devices = inventory.update(observation, at: .now)
        if let time = devices.nextCheck { await alarm.set(time) }
        reporter.report(devices, observation)
        if devices.changesMemory { await inventory.memory.save(log: log) }
        await consumers.preparer.update(PublishedDevices(devices))
        if knowsCluster { await consumers.publisher.publish(devices.slices) }
        consumers.board.post(devices.health.conditions(devices.slices, held: devices.held, pool: consumers.pool))
        statistics.count(devices, observation)
        log.debug("host observed", metadata: ["devices": "\(devices.slices.whole.devices.count)"])
    }

    func run() async throws {
        let watcher = try HostWatcher(virtualPrefixes: inventory.policy.virtualNICs, log: log)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.wakeup.forward(watcher.changes) }
                group.addTask { await self.alarm.run() }
                group.addTask { await self.reader.run { await self.learn($0) } }
                group.addTask { await self.watchStates() }
                group.addTask { for await _ in self.wakeup.signals { await self.look() } }
                await group.waitForAll()
            }
        }
    }

    private func look() async {
        do { try await refresh() } catch {
            log.error("discovery failed; the last known devices stay published", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: true if the Node has the networks of its pods.
    private func learn(_ node: NodeObject) -> Bool {
        let isFirst = !source.knowsCluster
        let hasNetworks = source.learn(node)
        if isFirst || hasNetworks { wakeup.signal() }
        return hasNetworks
    }

    /// Observes the host again after nearside-nri has written or removed a state: the end of an attachment changes the published devices,
    /// and the kernel does not announce the loss of an interface.
    private func watchStates() async {
        guard let watch = await FolderWatch.waiting(for: journal.statesFolder) else { return }
        // States may have been written before the watch, for example while an older release's files were converted.
        wakeup.signal()
        for await _ in watch.changes {
            // Debounce: several files change together, and so do interfaces.
            guard (try? await Task.sleep(for: .milliseconds(100))) != nil else { return }
            wakeup.signal()
        }
    }
}

extension PublishedDevices {
    fileprivate init(_ devices: NodeDevices) {
        self.init(
            devices: devices.published, groups: devices.slices.pairs?.members ?? [:], topology: devices.topology,
            missingInterfaces: devices.missingInterfaces,
            attributes: Dictionary(
                devices.slices.whole.devices.map { ($0.name, $0.attributes ?? [:]) }, uniquingKeysWith: { first, _ in first }))
    }
}
