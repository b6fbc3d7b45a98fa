// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CDI
package import Discovery
import Hardware
import Journal
package import KubeletPlugin
package import Kubernetes
import Linux
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Preparation
package import Publishing
import ServiceLifecycle
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
        package var journal: String
        package var cdi: String
        package var kubelet: KubeletPlugin.Options
        package var gatePath: String?

        package init(
            node: String, policy: PublishingPolicy, topologyPolicy: TopologyPolicy = TopologyPolicy(), endpoint: APIEndpoint,
            discovery: Discovery, journal: String, cdi: String, kubelet: KubeletPlugin.Options, gatePath: String?
        ) {
            self.node = node
            self.policy = policy
            self.topologyPolicy = topologyPolicy
            self.endpoint = endpoint
            self.discovery = discovery
            self.journal = journal
            self.cdi = cdi
            self.kubelet = kubelet
            self.gatePath = gatePath
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
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        // APIClient tries again by itself, and says why it has to.
        configuration.connectionPool.retryConnectionEstablishment = false
        // A watch that the server has not ended by now is one whose connection died silently.
        configuration.timeout.read = .minutes(11)
        if let file = options.endpoint.caFile {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(file)
            configuration.tlsConfiguration = tls
        }
        let http = HTTPClient(eventLoopGroup: group, configuration: configuration)
        let journal = JournalFolder(options.journal)
        try journal.make()
        let resources = ResourceClient(APIClient(endpoint: options.endpoint, http: http))
        let preparer = ClaimPreparer(
            .init(driver: options.policy.driver, gatePath: options.gatePath), resources: resources, journal: journal,
            specs: SpecFolder(options.cdi), log: log)
        let publisher = SlicePublisher(
            client: resources, driver: options.policy.driver, node: options.node,
            knowsCounters: !Files.exists(journal.withoutCounters),
            keep: { [log] knows in
                do throws(SystemError) {
                    if knows { try Files.remove(journal.withoutCounters) } else { try Files.write(journal.withoutCounters, "") }
                } catch { log.warning("what the cluster takes is not kept for the next start", metadata: ["error": "\(error)"]) }
            }, log: log)
        let inventory = InventoryService(
            discovery: options.discovery, journal: journal, policy: options.policy, topologyPolicy: options.topologyPolicy,
            publisher: publisher, preparer: preparer, log: log)
        // Devices are known before anybody can ask for one.
        try await inventory.refresh()
        var lifecycleLog = log
        lifecycleLog.logLevel = max(log.logLevel, .notice)
        let services = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: PublisherService(publisher: publisher)),
                    .init(service: inventory),
                    .init(
                        service: try KubeletPlugin(
                            options.kubelet, handler: preparer, eventLoopGroup: group, log: log)),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: lifecycleLog))
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await services.run()) } catch { outcome = .failure(error) }
        try await http.shutdown()
        try await group.shutdownGracefully()
        log.notice("stopped; running pods keep their devices")
        try outcome.get()
    }
}

/// Writes slices until shutdown.
private struct PublisherService: Service {
    let publisher: SlicePublisher

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do { try await publisher.run() } catch is CancellationError {}
        }
    }
}
