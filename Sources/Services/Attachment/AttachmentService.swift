// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging
import NetworkModel
import PodNetwork

/// The events of the runtime and the requests of `nearside-node` and of gates, routed to the parts that handle them.
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

    /// - Parameter lookUp: has `nearside-node` write into the plans which claims a pod uses (``ClaimLookup``).
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

    /// Takes over from an earlier run by the journal, once no other instance serves it.
    func resume() {
        latePods.resume()
        detacher.resume()
        leases.resume()
    }

    // MARK: Events of the runtime

    /// Attaches the interfaces of a sandbox that starts, as far as the time allows.
    ///
    /// It never fails. An error from this hook would make the runtime throw the sandbox away (and some leak a record of it); a container
    /// that lacks something is not created.
    func run(_ sandbox: Sandbox, deadline: Deadline) {
        sandboxes.add(sandbox)
        for plan in journal.preparedPlans(of: sandbox.podUID) {
            if deadline.hasPassed {
                log.warning("no time left to attach; containers wait for it", metadata: ["pod": "\(sandbox.pod)"])
                return
            }
            do throws(AttachmentError) { _ = try engine.attach(plan, to: sandbox) } catch {
                log.error(
                    "claim cannot be attached", metadata: ["pod": "\(sandbox.pod)", "code": "\(error.code)", "error": "\(error)"])
            }
        }
    }

    /// Attaches everything that a container which is about to be created needs.
    ///
    /// - Returns: claims that are attached and still wait for a server's answer: the container may be created, and may not start.
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

    /// Detaches everything from a sandbox that stops. It never fails, as the runtime would ignore that; what is not restored now is waited
    /// for when the claim is released.
    func stop(_ sandbox: Sandbox) {
        // A sandbox that was attached for its gate is known by its namespace only.
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

    /// Takes the list of all sandboxes after a connection to the runtime was made, and catches up with what happened in between.
    ///
    /// - Parameter running: IDs of sandboxes in which containers were started.
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

    /// Notes that the connection to the runtime ended.
    func disconnect() { sandboxes.markStale() }

    // MARK: Requests

    /// Attaches everything that a container of a claim needs, for its gate.
    ///
    /// - Parameter namespace: the container's network namespace.
    /// - Returns: the reason why the container has to wait although everything is attached; nil when it may start.
    func admit(claim uid: String, namespace: NetworkNamespace?) throws(AttachmentError) -> AwaitedClaim? {
        let plan = try journal.preparedPlan(uid)
        guard plan.hasInterfaces else { return nil }
        guard let identity = namespace?.identity else {
            throw AttachmentError(.noNamespace, "claim \(plan.claim)", "the container's network namespace was not passed along")
        }
        // A pod in the host's network sees the host's devices.
        if hostNamespace == identity {
            _ = try engine.attach(plan, to: Sandbox(id: "", podUID: "", pod: plan.pods.first ?? "", namespacePath: nil))
            return nil
        }
        guard let sandbox = sandboxes.sandbox(of: plan, in: identity) else {
            throw AttachmentError(
                .noNamespace, "claim \(plan.claim)",
                "the container's network namespace is mounted nowhere that nearside-nri can see, so its interfaces could not be restored")
        }
        _ = try engine.attach(plan, to: sandbox)
        return try leases.awaited(plan.claim, in: identity).map { AwaitedClaim(claim: plan.claim, reason: $0) }
    }

    /// Records what has to be known of a claim's devices before its containers can open them.
    func prepare(_ plan: ClaimPlan) throws(AttachmentError) { try sharedRDMA.record(plan) }

    /// Releases a claim: everything of it is restored on the host when this returns.
    func release(claim uid: String) throws(AttachmentError) {
        guard var state = try journal.state(uid) else { return }
        sharedRDMA.release(&state)
        try detacher.detach(&state) { _ in true }
        if state.attachments.isEmpty { try journal.removeState(state.claim) }
    }

    /// Names of devices that claims have.
    var devicesInUse: Set<String> {
        Set(journal.plans.flatMap(\.devices).map(\.device) + journal.states.flatMap(\.attachments).map(\.device))
    }
}

/// A claim that is attached and waits for a server's answer.
struct AwaitedClaim: Hashable, Sendable {
    var claim: ClaimIdentity
    var reason: String

    var error: AttachmentError { AttachmentError(.leaseAwaited, "claim \(claim)", reason) }
}
