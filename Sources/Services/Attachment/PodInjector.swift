// SPDX-License-Identifier: Apache-2.0

package import Journal
import JournalModel
package import Linux
package import Logging
import NetworkModel
package import PodNetwork

/// Brings the devices of claims into pods and back, driven by the journal.
///
/// What is to be is in the plans, what is so in the states; nothing else is remembered but where the
/// sandboxes are, which the runtime tells anew whenever the connection to it is made. So this can be
/// killed between any two steps.
///
/// ## Concurrency model
/// Used by one thread. Whatever happens inside a pod's namespace runs on a thread of its own that is
/// joined before the call returns.
package final class PodInjector {
    let journal: JournalFolder
    let plans: PlanCache
    let states: StateCache
    let network: PodNetwork
    let log: Logger
    var sandboxes: [String: Sandbox] = [:]
    /// Whether a runtime has told of all sandboxes.
    var knowsSandboxes = false
    /// Claims of which something was to come back and has not.
    var returning: Set<String> = []
    /// Namespaces with something of ours in them, held open: whoever takes a pod away without telling us (a runtime that
    /// was restarted), or before (CRI-O), the namespace stays until everything has been brought back, and with it what the kernel
    /// would otherwise delete or rename.
    var held: [FileIdentity: NetworkNamespace] = [:]
    /// How often in a row something in a namespace could not be brought back.
    var failedReturns: [FileIdentity: Int] = [:]

    let clients: LeaseClients
    /// A client could not be started that an attached interface needs.
    var lacksClients = false
    let leaseOptions: LeaseClientOptions
    /// Leases that clients reported and that could not be written down yet.
    var unwritten: [LeaseKey: Lease] = [:]
    /// What the pods' interfaces were given.
    var taken: [LeaseKey: Lease] = [:]

    /// Pods that run without all their devices, and those that did, by UID.
    var unsettled: [String: Unsettled] = [:]
    var late: [String: LatePod] = [:]
    var settlePause = PodInjector.firstSettlePause
    var nextSettle = 0
    var lastSettled = ""

    /// Has nearside-node write into the plans which claims a pod uses. Returns why that was not possible, nil when it was.
    let lookUp: (Sandbox) -> String?
    /// Pods that were looked up, since plans were last found to be lost.
    var known: Set<String> = []
    var lost: Set<String> = []

    package init(
        journal: JournalFolder, network: PodNetwork, leases: LeaseClientOptions, log: Logger,
        lookUp: @escaping (Sandbox) -> String?
    ) {
        self.lookUp = lookUp
        self.journal = journal
        self.network = network
        self.log = log
        clients = LeaseClients(leases)
        leaseOptions = leases
        plans = PlanCache(journal) { log.error("plan cannot be used", metadata: ["error": "\($0)"]) }
        states = StateCache(journal) { log.error("state cannot be used", metadata: ["error": "\($0)"]) }
    }

    /// Goes on from what the journal says; when no other instance serves it any more.
    package func resume() {
        late = Dictionary(journal.latePods().pods.map { ($0.uid, $0) }, uniquingKeysWith: { first, _ in first })
        for state in states.all {
            if state.attachments.contains(where: { $0.phase == .returning }) { returning.insert(state.claim.uid) }
            for attachment in state.attachments { held[attachment.namespace] = Self.namespace(of: attachment) }
        }
        resumeClients()
    }

    // MARK: Events of the runtime

    /// A sandbox is there: its interfaces are attached as far as the time allows.
    ///
    /// It never fails. An error from this hook would make the runtime throw the sandbox away (and some
    /// leak a record of it); what is missing is held back when a container is created.
    package func run(_ sandbox: Sandbox, deadline: Int) {
        sandboxes[sandbox.podUID] = sandbox
        for plan in plans(of: sandbox.podUID) {
            if Poller.now() >= deadline {
                log.warning("no time left to attach; the container will wait for it", metadata: ["pod": "\(sandbox.pod)"])
                return
            }
            do throws(InjectionError) { _ = try attach(plan, to: sandbox) } catch {
                log.error("cannot attach", metadata: ["pod": "\(sandbox.pod)", "claim": "\(plan.claim)", "error": "\(error)"])
            }
        }
    }

    /// A container is about to be created: not before everything is there.
    ///
    /// - Returns: claims whose interfaces are there, and which wait for an answer from outside that takes its own time: the container may
    ///   be created, and may not start.
    package func admit(_ sandbox: Sandbox) throws(InjectionError) -> [Waiting] {
        sandboxes[sandbox.podUID] = sandbox
        try identify(sandbox)
        var waiting: [Waiting] = []
        for plan in plans(of: sandbox.podUID) {
            _ = try attach(plan, to: sandbox)
            if plan.hasInterfaces, let identity = sandbox.namespacePath.flatMap(Self.identity),
                let what = try awaited(plan.claim, in: identity)
            {
                waiting.append(Waiting(claim: plan.claim.uid, description: what))
            }
        }
        return waiting
    }

    /// A claim that is not complete yet, and why.
    package struct Waiting: Hashable, Sendable, CustomStringConvertible {
        package var claim: String
        package var description: String
    }

    /// The sandbox goes: everything in it comes back. Never fails, as the runtime would not listen;
    /// what does not come back now is asked for again before the claim is given up.
    package func stop(_ sandbox: Sandbox) {
        // What the gate attached knows its sandbox only by the namespace.
        func isInside(_ attachment: Attachment) -> Bool {
            attachment.sandbox == sandbox.id || attachment.namespacePath == sandbox.namespacePath
        }
        stopClients(isInside)
        for var state in states.all where state.attachments.contains(where: isInside) {
            do throws(InjectionError) { try detach(&state, isInside) } catch {
                log.log(
                    level: error.isPending ? .info : .error, "cannot bring back",
                    metadata: ["pod": "\(sandbox.pod)", "claim": "\(state.claim)", "error": "\(error)"])
            }
        }
        if sandboxes[sandbox.podUID]?.id == sandbox.id {
            sandboxes[sandbox.podUID] = nil
            known.remove(sandbox.podUID)
            forget(pod: sandbox.podUID)
        }
    }

    /// All sandboxes there are, after the connection to the runtime was made: what happened in between
    /// is caught up with.
    ///
    /// - Parameter running: of which of them containers were started.
    package func synchronize(_ all: [Sandbox], running: Set<String>, deadline: Int) {
        sandboxes = Dictionary(all.map { ($0.podUID, $0) }, uniquingKeysWith: { _, last in last })
        knowsSandboxes = true
        let ids = Set(all.map(\.id))
        let namespaces = Set(all.compactMap { $0.namespacePath.flatMap(Self.identity) })
        func isLost(_ attachment: Attachment) -> Bool {
            !ids.contains(attachment.sandbox) && !namespaces.contains(attachment.namespace)
        }
        for var state in states.all where state.attachments.contains(where: isLost) {
            do throws(InjectionError) { try detach(&state, isLost) } catch {
                log.error("cannot bring back", metadata: ["claim": "\(state.claim)", "error": "\(error)"])
            }
        }
        unsettled = [:]
        for uid in late.keys where sandboxes[uid] == nil { forget(pod: uid) }
        for sandbox in all {
            let pod = Unsettled(sandbox: sandbox, isRunning: running.contains(sandbox.id))
            if Poller.now() < deadline { settle(pod) } else { unsettled[sandbox.podUID] = pod }
        }
    }

    // MARK: Requests

    /// May a container with this network namespace start? Everything of the claim has to be in it.
    ///
    /// - Returns: what it has to wait for; nil when it can start.
    package func admit(claim uid: String, namespace: NetworkNamespace?) throws(InjectionError) -> Waiting? {
        guard let plan = plans.plan(uid), plan.phase == .prepared else {
            throw InjectionError("claim \(uid) is not prepared on this node")
        }
        guard plan.hasInterfaces else { return nil }
        guard let namespace else {
            throw InjectionError("claim \(plan.claim): the container's network namespace was not passed along")
        }
        let identity = namespace.identity
        // A pod in the host's network sees what is there.
        if network.hostNamespace == identity {
            _ = try attach(plan, to: Sandbox(id: "", podUID: "", pod: plan.pods.first ?? "", namespacePath: nil))
            return nil
        }
        let known = sandboxes.values.first { sandbox in
            plan.pods.contains(sandbox.podUID) && sandbox.namespacePath.flatMap(Self.identity) == identity
        }
        guard let sandbox = known ?? Self.sandbox(of: plan, identity) else {
            throw InjectionError(
                "claim \(plan.claim): the container's network namespace is mounted nowhere that nearside-nri can see, so its interfaces could not be brought back"
            )
        }
        _ = try attach(plan, to: sandbox)
        return try awaited(plan.claim, in: identity).map { Waiting(claim: uid, description: $0) }
    }

    /// The claim is given up: everything comes back to the host before this returns.
    package func release(claim uid: String) throws(InjectionError) {
        guard var state = try readState(uid) else { return }
        returnRDMADevices(&state)
        try detach(&state) { _ in true }
        if state.attachments.isEmpty { try removeState(uid) }
    }

    /// The connection to the runtime ended: what it told of sandboxes may be out of date.
    package func forgetSandboxes() { knowsSandboxes = false }
}
