// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging
import PodNetwork

/// Routes events of the runtime, and requests of `nearside-node`, to the parts that handle them.
///
/// ## Concurrency model
/// Used by one thread.
final class AttachmentService {
    let journal: AttachmentJournal
    let detacher: Detacher
    let leases: LeaseManager
    let latePods: LatePodManager
    let admission: Admission
    private let lookup: ClaimLookup
    private let sandboxes = SandboxTable()
    private let sharedRDMA: SharedRDMADevices
    private let log: Logger

    /// - Parameter lookUp: asks `nearside-node` to record in the plans which claims a pod uses (``ClaimLookup``).
    init(
        _ journal: JournalFolder, network: PodNetwork, leases options: LeaseClientOptions, log: Logger,
        lookUp: @escaping (Sandbox) -> String?
    ) {
        self.journal = AttachmentJournal(journal, log: log)
        self.log = log
        let namespaces = NamespaceTable()
        leases = LeaseManager(options, journal: self.journal, network: network, namespaces: namespaces, log: log)
        detacher = Detacher(
            self.journal, network: network, sandboxes: sandboxes, namespaces: namespaces, leases: leases, log: log)
        let engine = AttachmentEngine(
            self.journal, network: network, sandboxes: sandboxes, namespaces: namespaces, leases: leases,
            detacher: detacher, log: log)
        lookup = ClaimLookup(self.journal, request: lookUp)
        latePods = LatePodManager(self.journal, lookup: lookup, engine: engine, log: log)
        admission = Admission(
            journal: self.journal, engine: engine, lookup: lookup, leases: leases, sandboxes: sandboxes,
            hostNamespace: network.hostNamespace, log: log)
        sharedRDMA = SharedRDMADevices(self.journal, network: network)
    }

    /// Resumes from the journal, once no other instance serves it.
    func resume() {
        latePods.resume()
        detacher.resume()
        leases.resume()
    }

    // MARK: Events of the runtime

    /// Detaches all devices from a sandbox that stops. Never throws, because runtimes ignore the error. The release of the claim waits
    /// for devices that are not restored here.
    func stop(_ sandbox: Sandbox) {
        // A sandbox that a gate attached is known only by its namespace.
        func isInside(_ attachment: Attachment) -> Bool {
            attachment.sandbox == sandbox.id || attachment.namespacePath == sandbox.namespacePath
        }
        leases.stopClients(where: isInside)
        detachAll(where: isInside)
        if sandboxes.remove(sandbox) {
            lookup.forget(pod: sandbox.podUID)
            latePods.forget(pod: sandbox.podUID)
        }
    }

    /// Takes the complete list of sandboxes after the connection to the runtime, and handles the changes since the last connection.
    ///
    /// - Parameter running: IDs of sandboxes with started containers.
    func synchronize(_ all: [Sandbox], running: Set<String>, deadline: Deadline) {
        sandboxes.replaceAll(all)
        let ids = Set(all.map(\.id))
        let namespaces = Set(all.compactMap { $0.namespacePath.flatMap(NamespaceTable.identity) })
        detachAll { !ids.contains($0.sandbox) && !namespaces.contains($0.namespace) }
        latePods.synchronize(all, running: running, deadline: deadline)
    }

    private func detachAll(where matches: (Attachment) -> Bool) {
        for var state in journal.states where state.attachments.contains(where: matches) {
            do throws(AttachmentError) { try detacher.detach(&state, where: matches) } catch {
                log.log(
                    level: error.isPending ? .info : .error, "devices not restored yet",
                    metadata: ["code": "\(error.code)", "error": "\(error)"])
            }
        }
    }

    /// Records that the connection to the runtime ended.
    func disconnect() { sandboxes.markStale() }

    // MARK: Requests

    /// Records the open contexts of a claim's RDMA devices before its containers can open more.
    func prepare(_ plan: ClaimPlan) throws(AttachmentError) { try sharedRDMA.record(plan) }

    /// Releases a claim: all its devices are restored on the host when this returns.
    func release(claim uid: String) throws(AttachmentError) {
        guard var state = try journal.state(uid) else { return }
        sharedRDMA.release(&state)
        try detacher.detach(&state) { _ in true }
        if state.attachments.isEmpty { try journal.removeState(state.claim) }
    }

    /// Names of devices in plans or states.
    var devicesInUse: Set<String> {
        Set(journal.plans.flatMap(\.devices).map(\.device) + journal.states.flatMap(\.attachments).map(\.device))
    }
}
