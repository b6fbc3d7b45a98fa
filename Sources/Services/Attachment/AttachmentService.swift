// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging
import NetworkModel
import PodNetwork

/// Routes events of the runtime, and requests of `nearside-node` and of gates, to the parts that handle them.
///
/// ## Concurrency model
/// Used by one thread.
final class AttachmentService {
    let journal: AttachmentJournal
    let detacher: Detacher
    let leases: LeaseManager
    let latePods: LatePodManager
    private let engine: AttachmentEngine
    private let lookup: ClaimLookup
    private let sandboxes = SandboxTable()
    private let sharedRDMA: SharedRDMADevices
    private let hostNamespace: FileIdentity
    private let log: Logger

    /// - Parameter lookUp: asks `nearside-node` to record in the plans which claims a pod uses (``ClaimLookup``).
    init(
        _ journal: JournalFolder, network: PodNetwork, leases options: LeaseClientOptions, log: Logger,
        lookUp: @escaping (Sandbox) -> String?
    ) {
        self.journal = AttachmentJournal(journal, log: log)
        hostNamespace = network.hostNamespace
        self.log = log
        let namespaces = NamespaceTable()
        leases = LeaseManager(options, journal: self.journal, network: network, namespaces: namespaces, log: log)
        detacher = Detacher(
            self.journal, network: network, sandboxes: sandboxes, namespaces: namespaces, leases: leases, log: log)
        engine = AttachmentEngine(
            self.journal, network: network, sandboxes: sandboxes, namespaces: namespaces, leases: leases,
            detacher: detacher, log: log)
        lookup = ClaimLookup(self.journal, request: lookUp)
        latePods = LatePodManager(self.journal, lookup: lookup, engine: engine, log: log)
        sharedRDMA = SharedRDMADevices(self.journal, network: network)
    }

    /// Resumes from the journal, once no other instance serves it.
    func resume() {
        latePods.resume()
        detacher.resume()
        leases.resume()
    }

    // MARK: Events of the runtime

    /// Attaches the interfaces of a sandbox that starts, until the deadline.
    ///
    /// Never throws: an error from this hook would make the runtime discard the sandbox (and some runtimes leak its record). A container
    /// of a claim that is not attached is refused later, when it is created.
    func run(_ sandbox: Sandbox, deadline: Deadline) {
        sandboxes.add(sandbox)
        for plan in journal.preparedPlans(of: sandbox.podUID) {
            if deadline.hasPassed {
                log.warning("claim not attached before the deadline; its containers have to wait", metadata: ["pod": "\(sandbox.pod)"])
                return
            }
            do throws(AttachmentError) { _ = try engine.attach(plan, to: sandbox) } catch {
                log.error(
                    "attaching a claim failed", metadata: ["pod": "\(sandbox.pod)", "code": "\(error.code)", "error": "\(error)"])
            }
        }
    }

    /// Attaches all devices that a container needs, before the runtime creates it.
    ///
    /// - Returns: attached claims that still wait for a lease: the container may be created, but not started.
    func admit(_ sandbox: Sandbox) throws(AttachmentError) -> [AwaitedClaim] {
        sandboxes.add(sandbox)
        try lookup.identify(sandbox)
        var awaited: [AwaitedClaim] = []
        for plan in journal.preparedPlans(of: sandbox.podUID) {
            _ = try engine.attach(plan, to: sandbox)
            guard plan.hasInterfaces, let identity = sandbox.namespacePath.flatMap(NamespaceTable.identity) else { continue }
            if let reason = try leases.awaited(plan.claim, in: identity) { awaited.append(AwaitedClaim(claim: plan.claim, reason: reason)) }
        }
        return awaited
    }

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

    /// Attaches all devices of a claim, for the gate of one of its containers.
    ///
    /// - Parameter namespace: the container's network namespace.
    /// - Returns: the lease that the container has to wait for; nil if the container may start.
    func admit(claim uid: String, namespace: NetworkNamespace?) throws(AttachmentError) -> AwaitedClaim? {
        let plan = try journal.preparedPlan(uid)
        guard plan.hasInterfaces else { return nil }
        guard let identity = namespace?.identity else {
            throw AttachmentError(.noNamespace, "claim \(plan.claim)", "the request has no network namespace of the container")
        }
        // A pod in the host's network uses the devices on the host.
        if hostNamespace == identity {
            _ = try engine.attach(plan, to: Sandbox(id: "", podUID: "", pod: plan.pods.first ?? "", namespacePath: nil))
            return nil
        }
        guard let sandbox = sandboxes.sandbox(of: plan, in: identity) else {
            throw AttachmentError(
                .noNamespace, "claim \(plan.claim)",
                "no mount of the container's network namespace is visible to nearside-nri, so that it could not restore interfaces from there"
            )
        }
        _ = try engine.attach(plan, to: sandbox)
        return try leases.awaited(plan.claim, in: identity).map { AwaitedClaim(claim: plan.claim, reason: $0) }
    }

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

/// An attached claim that waits for a DHCP lease.
struct AwaitedClaim: Hashable, Sendable {
    var claim: ClaimIdentity
    var reason: String

    var error: AttachmentError { AttachmentError(.leaseAwaited, "claim \(claim)", reason) }
}
