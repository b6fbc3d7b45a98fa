// SPDX-License-Identifier: Apache-2.0

import Discovery
import Hardware
import Journal
import JournalModel
import Kubernetes
import Linux
import Netlink
import NetworkModel
import ResourceAPI

/// The host and the claims on it at one moment.
struct HostObservation: Sendable {
    var machine: Machine
    /// Implausible values that were dropped from the machine: one line each.
    var warnings: [String]
    /// Addresses of the API server, including the peers of open connections.
    var apiServers: [IPAddress]
    var plans: [ClaimPlan]
    /// Interfaces that are in pods or moving.
    var attachments: [Attachment]
    /// Unusable files of the journal.
    var damaged: [JournalError]
    /// The duration of the discovery.
    var duration: Duration
}

/// Reads the host and the journal.
struct HostSource: Sendable {
    private var discovery: Discovery
    private let endpoint: APIEndpoint
    private let journal: JournalFolder
    /// True after the Node was read. Nothing is published before: an interface towards the pods' networks could be given away.
    private(set) var knowsCluster = false

    init(_ discovery: Discovery, endpoint: APIEndpoint, journal: JournalFolder) {
        self.discovery = discovery
        self.endpoint = endpoint
        self.journal = journal
    }

    /// Reads the networks of the node's pods from the Node.
    ///
    /// - Returns: true if the Node has such networks.
    mutating func learn(_ node: NodeObject) -> Bool {
        discovery.destinations.note(node)
        knowsCluster = true
        return !discovery.destinations.podNetworks.isEmpty
    }

    /// Sets addresses of the API server as destinations of the host.
    mutating func note(apiServers: [IPAddress]) { discovery.destinations.apiServers = apiServers }

    /// Observes the host, on a thread that may block.
    func observe() async throws(NetlinkError) -> HostObservation {
        try await CachedThreadPool.shared.value { take() }.get()
    }

    private func take() -> Result<HostObservation, NetlinkError> {
        // An interface is always on the host or in a state, but the two are not read at the same time. Reading states before finds an
        // interface that returns during the discovery; reading them again after it finds an interface that leaves.
        let before = journal.states().states
        let plans = journal.plans().plans
        var discovery = discovery
        discovery.destinations.note(endpoint)
        let start = ContinuousClock.now
        let snapshot: Snapshot
        do throws(NetlinkError) { snapshot = try discovery.snapshot() } catch { return .failure(error) }
        let duration = ContinuousClock.now - start
        let (after, damaged) = journal.states()
        let later = after.flatMap(\.attachments)
        let devices = Set(later.map(\.device))
        let attachments = later + before.flatMap(\.attachments).filter { !devices.contains($0.device) }
        return .success(
            HostObservation(
                machine: snapshot.machine, warnings: snapshot.warnings, apiServers: discovery.destinations.apiServers, plans: plans,
                attachments: attachments, damaged: damaged, duration: duration))
    }
}
