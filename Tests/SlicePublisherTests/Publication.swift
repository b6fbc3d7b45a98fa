// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Hardware
import Kubernetes
import Logging
import ResourceAPI
import SliceModel
import SlicePublisher
import Synchronization
import Testbed
import Testing
import Topology

/// A running publisher with a real HTTP server that applies the rules of the API server.
struct Publication {
    static let owner = SliceOwner(driver: "dra.nearside", node: "node-1", nodeUID: "node-uid-node-1")

    let api: APIServer
    let client: ResourceClient
    let publisher: SlicePublisher
    let lines: LogLines

    /// Runs `body` in parallel with the publisher.
    static func run(
        lacking: Set<ClusterFeature> = [], keep: @escaping @Sendable (Set<ClusterFeature>) -> Void = { _ in },
        prepare: (APIServer) throws -> Void = { _ in }, _ body: (Publication) async throws -> Void
    ) async throws {
        let api = try APIServer()
        try api.add("nodes", NodeObject.named("node-1"))
        try prepare(api)
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try APIEndpoint(url: api.url).configuration())
        let client = ResourceClient(APIClient(endpoint: APIEndpoint(url: api.url), http: http, attemptTimeout: .seconds(3)))
        let lines = LogLines()
        let publisher = SlicePublisher(
            client: client, driver: owner.driver, node: owner.node, missingFeatures: lacking, keep: keep,
            log: Logger(label: "test", factory: { _ in lines }))
        let outcome: Result<Void, any Error>
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await publisher.run() }
                defer { group.cancelAll() }
                try await body(Publication(api: api, client: client, publisher: publisher, lines: lines))
            }
            outcome = .success(())
        } catch is CancellationError { outcome = .success(()) } catch { outcome = .failure(error) }
        try await http.shutdown()
        api.shutDown()
        try outcome.get()
    }

    /// True as soon as the server holds exactly these devices and counters, in one generation.
    func settles(_ devices: SliceDevices, lacking: Set<ClusterFeature> = []) async throws -> Bool {
        let expected = devices.contents(lacking: lacking)
        return try await eventuallyTrue {
            StoredPool(try api.slices()).difference(from: expected.devices, counterSets: expected.counterSets) == nil
        }
    }

    /// Requests that write.
    var writes: Int { api.requests.count { !$0.hasPrefix("GET") } }

    /// Returns true after a second and a half without a request, because a cut watch is restarted after a delay.
    func isSilent() async throws -> Bool {
        for _ in 0..<8 {
            let before = api.requests.count
            try await Task.sleep(for: .milliseconds(1500))
            if api.requests.count == before { return true }
        }
        return false
    }

    /// An HGX A100 with all its pairs; another `mtu` changes it.
    static func devices(mtu: Int = 1500, down: Bool = false, shares: Int? = nil) throws -> SliceDevices {
        var machine = try #require(try MachineDescription.embedded("hgx-a100")).machine
        for index in machine.functions.indices where !machine.functions[index].netdevs.isEmpty {
            machine.functions[index].netdevs[0].mtu = mtu
        }
        if shares != nil { for index in machine.functions.indices { machine.functions[index].netdevs = [] } }
        if down, let index = machine.functions.firstIndex(where: { $0.vendor == "15b3" && !$0.rdmaDevices.isEmpty }) {
            machine.functions[index].rdmaDevices[0].ports[0].state = "DOWN"
        }
        let policy = PublishingPolicy(driver: owner.driver, owned: ["gpus"], shares: shares)
        return SliceDevices(MachineTopology(machine), policy, health: HealthReport(MachineTopology(machine), policy))
    }
}

func eventuallyTrue(seconds: Double = Waiting.bound, _ condition: () async throws -> Bool) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(10))
    }
    return try await condition()
}

/// Lines of the log.
final class LogLines: LogHandler, Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { lines.withLock { $0 } }

    var logLevel: Logger.Level {
        get { .debug }
        set {}
    }
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) {
        let extra = (event.metadata ?? [:]).map { "\($0)=\($1)" }.sorted().joined(separator: " ")
        lines.withLock { $0.append("\(event.level) \(event.message) \(extra)") }
    }
}
