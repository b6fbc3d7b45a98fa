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
    /// Values that were left out of the machine because they cannot be true: one line each.
    var warnings: [String]
    /// Addresses of the API server, with those of connections that exist now.
    var apiServers: [IPAddress]
    var plans: [ClaimPlan]
    /// Interfaces that are in pods or on their way.
    var attachments: [Attachment]
    /// Files of the journal that cannot be used.
    var damaged: [JournalError]
    /// How long the discovery of the machine took.
    var duration: Duration
}

/// Reads the host and the journal.
struct HostSource: Sendable {
    private var discovery: Discovery
    private let endpoint: APIEndpoint
    private let journal: JournalFolder
    /// True once the Node was read. Nothing is published before: an interface on the way to its pods could be given away.
    private(set) var knowsCluster = false

    init(_ discovery: Discovery, endpoint: APIEndpoint, journal: JournalFolder) {
        self.discovery = discovery
        self.endpoint = endpoint
        self.journal = journal
    }

    /// Takes the networks of the node's pods from the Node.
    ///
    /// - Returns: true when the Node has such networks.
    mutating func learn(_ node: NodeObject) -> Bool {
        discovery.destinations.note(node)
        knowsCluster = true
        return !discovery.destinations.podNetworks.isEmpty
    }

    /// Keeps addresses of the API server as destinations of the host.
    mutating func note(apiServers: [IPAddress]) { discovery.destinations.apiServers = apiServers }

    /// Observes the host, on a thread that may block.
    func observe() async throws(NetlinkError) -> HostObservation {
        try await CachedThreadPool.shared.value { take() }.get()
    }

    private func take() -> Result<HostObservation, NetlinkError> {
        // An interface is on the host or in a state, and at no moment in neither; but they are read one after the other. One that
        // returns meanwhile is in the states of before, one that leaves in those of after.
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
