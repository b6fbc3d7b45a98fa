// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import ClaimPlanning
import ClaimPreparation
import Journal
import KubeletPlugin
import Kubernetes
import Linux
import Logging
import NIOPosix
import ServiceLifecycle
import SliceModel
import SlicePublisher

/// The services of the daemon and their connections.
struct NodeParts {
    let inventory: InventoryService
    let preparer: ClaimPreparer
    private let options: NodeDaemon.Options
    private let group: MultiThreadedEventLoopGroup
    private let log: Logger
    private let journal: JournalFolder
    private let cluster: ClusterParts
    private let publisher: SlicePublisher
    private let health: (devices: HealthBoard, node: NodeHealth)
    private let counts = NodeCounts()

    /// Creates the folders of this program, and claims the journal for its driver.
    init(_ options: NodeDaemon.Options, http: HTTPClient, group: MultiThreadedEventLoopGroup, log: Logger) throws {
        self.options = options
        self.group = group
        self.log = log
        let journal = JournalFolder(options.journal, states: options.states, for: .node)
        try journal.make()
        try journal.take(for: options.policy.driver)
        try Files.makeFolder(options.kubelet.data, mode: 0o750)
        self.journal = journal
        cluster = ClusterParts(options, http: http, journal: journal, requests: counts.requests, log: log)
        preparer = ClaimPreparer(
            Self.preparation(options, cluster.status), resources: cluster.resources, journal: journal, log: log)
        publisher = SlicePublisher(
            client: cluster.resources, driver: options.policy.driver, node: options.node, missingFeatures: ClusterMemory.read(journal),
            keep: { [log] in ClusterMemory.write($0, journal, log: log) }, awaitsRegistration: true, log: log)
        health = (
            HealthBoard(),
            NodeHealth(
                board: NodeHealth.Board(), loop: group.any(), preparer: preparer, publisher: publisher, registry: options.kubelet.registry)
        )
        inventory = InventoryService(
            HostSource(options.discovery, endpoint: options.endpoint, journal: journal),
            Inventory(
                policy: options.policy, topologyPolicy: options.topologyPolicy, memory: MachineMemory(journal.machine, log: log)),
            consumers: .init(publisher: publisher, preparer: preparer, board: health.devices, pool: options.node),
            reader: NodeReader(resources: cluster.resources, node: options.node, log: log), journal: journal, events: cluster.events,
            log: log)
    }

    private static func preparation(_ options: NodeDaemon.Options, _ status: ClaimStatusService) -> ClaimPreparer.Options {
        var preparation = ClaimPreparer.Options(driver: options.policy.driver, lockFolder: options.kubelet.data)
        preparation.planning.tellsDevices = options.claims.tellsDevices
        preparation.planning.allowedToClaims = options.claims.allowedToClaims
        preparation.vendorSpecFolders = options.claims.vendorSpecFolders
        preparation.report = status.report
        preparation.pool = options.node
        preparation.prepared = PreparedClaims(folder: "\(options.kubelet.data)/prepared")
        return preparation
    }

    /// The services, which run until shutdown.
    func services() throws -> [any Service] {
        let publishing = PublisherService(
            publisher: publisher, board: health.node.board, lock: "\(options.kubelet.data)/publish.lock", log: log)
        let pods = LatePodService(
            resources: cluster.resources, journal: journal, events: cluster.events, policy: options.claims.eviction, log: log)
        let orphans = OrphanService(
            preparer: preparer, resources: cluster.resources, journal: journal, after: options.claims.orphansAfter, count: counts.orphans,
            log: log)
        var services: [any Service] = [
            publishing, inventory, cluster.events, cluster.status, pods, RestoreService(preparer: preparer), orphans,
            UpgradeService(journal: journal, log: log), lookups(journal.nodeSocket), try plugin(),
        ]
        if let pod = options.kubelet.podUID { services.append(lookups(journal.nodeSocket(of: pod))) }
        if let address = options.metrics { services.append(metrics(address)) }
        return services
    }

    private func lookups(_ socket: String) -> PodLookupService {
        PodLookupService(socket: socket, preparer: preparer, health: health.node, log: log)
    }

    private func plugin() throws -> KubeletPlugin {
        let (board, publisher) = (health.node.board, publisher)
        return try KubeletPlugin(
            options.kubelet, handler: MeasuredHandler(handler: preparer, times: counts.calls), health: health.devices,
            eventLoopGroup: group, log: log
        ) { status in
            board.registration = status
            if status == .registered { await publisher.registered() }
        }
    }

    private func metrics(_ address: MetricsAddress) -> MetricsServer {
        let (publisher, inventory, counts) = (publisher, inventory, counts)
        let page: @Sendable () async -> String = {
            MetricsPage(
                await publisher.current, await inventory.statistics, counts.requests.current, counts.calls.current,
                orphans: counts.orphans.current
            ).text
        }
        return MetricsServer(address: address, eventLoopGroup: group, page: page, health: health.node, log: log)
    }
}

/// Counters for metrics.
struct NodeCounts: Sendable {
    let requests = RequestCounts()
    let calls = CallTimes()
    let orphans = OrphanService.Count()
}

/// The services that access the API server for claims and events.
struct ClusterParts {
    let resources: ResourceClient
    let events: EventService
    let status: ClaimStatusService

    init(_ options: NodeDaemon.Options, http: HTTPClient, journal: JournalFolder, requests: RequestCounts, log: Logger) {
        let driver = options.policy.driver
        resources = ResourceClient(
            APIClient(endpoint: options.endpoint, http: http, observe: requests.note), decode: ClaimPreparer.decode)
        events = EventService(resources: resources, driver: driver, node: options.node, log: log)
        status = ClaimStatusService(resources: resources, journal: journal, driver: driver, events: events, log: log)
    }
}
