// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
package import Discovery
package import KubeletPlugin
package import Kubernetes
import Linux
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
package import SliceModel
package import Topology
import UnixSignals

/// The daemon `nearside-node`: discovers devices, publishes slices and prepares claims. It has credentials and no capabilities.
package struct NodeDaemon: Sendable {
    /// Settings of the operator, and paths of files and sockets.
    package struct Options: Sendable {
        package var node: String
        package var policy: PublishingPolicy
        package var topologyPolicy: TopologyPolicy
        package var endpoint: APIEndpoint
        package var discovery: Discovery
        /// The folder of this program, and the folder of nearside-nri, which this program only reads.
        package var journal: String
        package var states: String
        package var kubelet: KubeletPlugin.Options
        package var claims = ClaimOptions()
        /// Nil to serve no metrics.
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

    /// The operator's settings for claims.
    package struct ClaimOptions: Sendable {
        /// Folders with the CDI specifications of vendors' tools.
        package var vendorSpecFolders = ["/etc/cdi", "/var/run/cdi"]
        /// True if containers get files that describe their devices (KEP-5304).
        package var tellsDevices = false
        /// Paths of the privileged settings that claims may have on this node.
        package var allowedToClaims: Set<String> = []
        /// The time after which deleted claims are released; nil for never.
        package var orphansAfter: Duration?
        /// The policy for pods that started without their devices.
        package var eviction = EvictionPolicy.never

        package init() {}
    }

    private let options: Options
    private let log: Logger

    package init(_ options: Options, log: Logger) {
        self.options = options
        self.log = log
    }

    /// Runs until SIGTERM, or until a service fails.
    package func run() async throws {
        log.notice(
            "starting",
            metadata: ["version": "\(Release.version)", "driver": "\(options.policy.driver)", "node": "\(options.node)"])
        // The daemon mostly waits: one thread suffices for all sockets.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let http = HTTPClient(eventLoopGroup: group, configuration: try options.endpoint.configuration())
        let outcome: Result<Void, any Error>
        do {
            let parts = try NodeParts(options, http: http, group: group, log: log)
            // All services read and write files.
            outcome = .success(try await withTaskExecutorPreference(BlockingExecutor.shared) { try await run(parts) })
        } catch { outcome = .failure(error) }
        try await http.shutdown()
        try await group.shutdownGracefully()
        log.notice("stopped; running pods keep their devices")
        try outcome.get()
    }

    private func run(_ parts: NodeParts) async throws {
        // Devices must be known before the first request for one.
        try await parts.inventory.refresh()
        // Plans that a restart of the machine removed are restored before this instance registers with the kubelet.
        let lost = await RestoreService.restoreAtStart(parts.preparer)
        if lost > 0 {
            log.error("plans of prepared claims are still lost; the kubelet is served without them", metadata: ["claims": "\(lost)"])
        }
        var lifecycleLog = log
        lifecycleLog.logLevel = max(log.logLevel, .notice)
        let services = try parts.services().map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) }
        if options.kubelet.podUID != nil { await removeSocketsOfEndedPods() }
        try await ServiceGroup(
            configuration: .init(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: lifecycleLog)
        ).run()
    }

    /// Removes sockets that no process serves: a killed pod leaves its socket behind.
    private func removeSocketsOfEndedPods() async {
        let folder = options.journal
        await CachedThreadPool.shared.value {
            for name in Files.list(folder) where name.hasPrefix("node-") && name.hasSuffix(".sock") {
                _ = UnixSocket.removeDead("\(folder)/\(name)")
            }
        }
    }
}
