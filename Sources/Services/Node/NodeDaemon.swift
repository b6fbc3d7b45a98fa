// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import ClaimPlanning
import ClaimPreparation
package import Discovery
import Journal
package import KubeletPlugin
package import Kubernetes
import Linux
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
package import SliceModel
import SlicePublisher
package import Topology
import UnixSignals

/// `nearside-node`: discovers, publishes and prepares. It holds the credentials and no capability.
package struct NodeDaemon: Sendable {
    package struct Options: Sendable {
        package var node: String
        package var policy: PublishingPolicy
        package var topologyPolicy: TopologyPolicy
        package var endpoint: APIEndpoint
        package var discovery: Discovery
        /// The folder of this program, and that of nearside-nri, which is only read.
        package var journal: String
        package var states: String
        /// Where vendors' tools write their CDI specifications.
        package var vendorSpecFolders = ["/etc/cdi", "/var/run/cdi"]
        package var kubelet: KubeletPlugin.Options
        /// Whether containers get files that tell of their devices (KEP-5304).
        package var tellsDevices = false
        /// Privileged settings that claims may set on this node, by their paths.
        package var allowedToClaims: Set<String> = []
        /// After how long claims that do not exist any more are released; nil for never.
        package var orphansAfter: Duration?
        /// What becomes of pods that started without their devices.
        package var eviction = EvictionPolicy.never
        /// Nil for none.
        package var metrics: MetricsAddress?

        package init(
            node: String, policy: PublishingPolicy, topologyPolicy: TopologyPolicy = TopologyPolicy(), endpoint: APIEndpoint,
            discovery: Discovery, journal: String, states: String, kubelet: KubeletPlugin.Options, metrics: MetricsAddress? = nil
        ) {
            self.node = node
            self.policy = policy
            self.topologyPolicy = topologyPolicy
            self.endpoint = endpoint
            self.discovery = discovery
            self.journal = journal
            self.states = states
            self.kubelet = kubelet
            self.metrics = metrics
        }
    }

    private let options: Options
    private let log: Logger

    package init(_ options: Options, log: Logger) {
        self.options = options
        self.log = log
    }

    /// Runs until SIGTERM or until a part cannot go on.
    package func run() async throws {
        // The whole of this daemon waits most of the time: one thread does for all sockets.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let http = HTTPClient(eventLoopGroup: group, configuration: try options.endpoint.configuration())
        let journal = JournalFolder(options.journal, states: options.states, for: .node)
        try journal.make()
        try journal.take(for: options.policy.driver)
        try Files.makeFolder(options.kubelet.data, mode: 0o750)
        let requests = RequestCounts()
        let times = CallTimes()
        let orphans = OrphanService.Count()
        let resources = ResourceClient(
            APIClient(endpoint: options.endpoint, http: http, observe: requests.note), decode: ClaimPreparer.decode)
        let driver = options.policy.driver
        let events = EventService(resources: resources, driver: driver, node: options.node, log: log)
        let status = ClaimStatusService(resources: resources, journal: journal, driver: driver, events: events, log: log)
        var preparation = ClaimPreparer.Options(driver: driver, lockFolder: options.kubelet.data)
        preparation.planning.tellsDevices = options.tellsDevices
        preparation.planning.allowedToClaims = options.allowedToClaims
        preparation.vendorSpecFolders = options.vendorSpecFolders
        preparation.report = status.report
        preparation.pool = options.node
        preparation.prepared = PreparedClaims(folder: "\(options.kubelet.data)/prepared")
        let preparer = ClaimPreparer(preparation, resources: resources, journal: journal, log: log)
        let publisher = SlicePublisher(
            client: resources, driver: driver, node: options.node, lacking: ClusterMemory.read(journal),
            keep: { [log] in ClusterMemory.write($0, journal, log: log) }, awaitsRegistration: true, log: log)
        let conditions = NodeHealth.Board()
        let health = NodeHealth(
            board: conditions, loop: group.any(), preparer: preparer, publisher: publisher, registry: options.kubelet.registry)
        let board = HealthBoard()
        let inventory = InventoryService(
            .init(
                node: options.node, policy: options.policy, topologyPolicy: options.topologyPolicy, endpoint: options.endpoint),
            discovery: options.discovery, resources: resources, journal: journal, publisher: publisher, preparer: preparer, board: board,
            events: events, log: log)
        // Devices are known before anybody can ask for one.
        try await inventory.refresh()
        // And plans that a restart of the machine took are there before the kubelet knows this instance.
        let lost = await RestoreService.restoreAtStart(preparer)
        if lost > 0 {
            log.error("plans of prepared claims are still lost; serving the kubelet without them", metadata: ["claims": "\(lost)"])
        }
        var lifecycleLog = log
        lifecycleLog.logLevel = max(log.logLevel, .notice)
        var services: [any Service] = [
            PublisherService(publisher: publisher, board: conditions, lock: "\(options.kubelet.data)/publish.lock", log: log), inventory,
            events, status,
            LatePodService(resources: resources, journal: journal, events: events, policy: options.eviction, log: log),
            RestoreService(preparer: preparer),
            OrphanService(
                preparer: preparer, resources: resources, journal: journal, after: options.orphansAfter, count: orphans, log: log),
            UpgradeService(journal: journal, log: log),
            PodLookupService(socket: journal.nodeSocket, preparer: preparer, health: health, log: log),
            try KubeletPlugin(
                options.kubelet, handler: MeasuredHandler(handler: preparer, times: times), health: board, eventLoopGroup: group, log: log
            ) { status in
                conditions.registration = status
                if status == .registered { await publisher.registered() }
            },
        ]
        if let pod = options.kubelet.podUID {
            removeSocketsOfEndedPods(journal)
            services.append(PodLookupService(socket: journal.nodeSocket(of: pod), preparer: preparer, health: health, log: log))
        }
        if let address = options.metrics {
            let page: @Sendable () async -> String = {
                MetricsPage(
                    await publisher.current, await inventory.statistics, requests.current, times.current, orphans: orphans.current
                ).text
            }
            services.append(MetricsServer(address: address, eventLoopGroup: group, page: page, health: health, log: log))
        }
        let running = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: lifecycleLog))
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await running.run()) } catch { outcome = .failure(error) }
        try await http.shutdown()
        try await group.shutdownGracefully()
        log.notice("stopped; running pods keep their devices")
        try outcome.get()
    }

    /// Those that nobody serves any more: a pod that was killed leaves its own.
    private func removeSocketsOfEndedPods(_ journal: JournalFolder) {
        for name in Files.list(journal.path) where name.hasPrefix("node-") && name.hasSuffix(".sock") {
            do throws(SystemError) { _ = try UnixSocket.connect("\(journal.path)/\(name)") } catch {
                if error.isRefused { try? Files.remove("\(journal.path)/\(name)") }
            }
        }
    }
}

/// Writes slices until shutdown. Of two instances during a rolling update the older one does, until it ends.
private struct PublisherService: Service {
    let publisher: SlicePublisher
    let board: NodeHealth.Board
    let lock: String
    let log: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do {
                let held = try await FileLock.wait(lock) {
                    log.notice("another instance publishes the devices of this node; waiting for it to end")
                }
                board.publishes = true
                try await publisher.run()
                withExtendedLifetime(held) {}
            } catch is CancellationError {}
        }
    }
}
