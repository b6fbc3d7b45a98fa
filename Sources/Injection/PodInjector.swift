// SPDX-License-Identifier: Apache-2.0

package import Journal
package import Linux
package import Logging
package import PodNetwork

/// A pod's sandbox, as far as injection needs it.
package struct Sandbox: Hashable, Sendable {
    package var id: String
    package var podUID: String
    /// Namespace and name of the pod, for messages.
    package var pod: String
    /// Nil for a pod in the host's network.
    package var namespacePath: String?

    package init(id: String, podUID: String, pod: String, namespacePath: String?) {
        self.id = id
        self.podUID = podUID
        self.pod = pod
        self.namespacePath = namespacePath
    }
}

/// Why a container may not start, or a claim not go: a whole sentence.
package struct InjectionError: Error, Hashable, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

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
    private let journal: JournalFolder
    private let network: PodNetwork
    private let host: HostNetwork
    private let log: Logger
    private var sandboxes: [String: Sandbox] = [:]

    package init(journal: JournalFolder, host: HostNetwork, log: Logger) {
        self.journal = journal
        self.host = host
        self.log = log
        network = PodNetwork(host: host)
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
            do throws(InjectionError) { try attach(plan, to: sandbox) } catch {
                log.error("cannot attach", metadata: ["pod": "\(sandbox.pod)", "claim": "\(plan.claim)", "error": "\(error)"])
            }
        }
    }

    /// A container is about to be created: not before everything is there.
    package func admit(_ sandbox: Sandbox) throws(InjectionError) {
        sandboxes[sandbox.podUID] = sandbox
        for plan in plans(of: sandbox.podUID) { try attach(plan, to: sandbox) }
    }

    /// The sandbox goes: everything in it comes back. Never fails, as the runtime would not listen;
    /// what does not come back now is asked for again before the claim is given up.
    package func stop(_ sandbox: Sandbox) {
        // What the gate attached knows its sandbox only by the namespace.
        func isInside(_ attachment: Attachment) -> Bool {
            attachment.sandbox == sandbox.id || attachment.namespacePath == sandbox.namespacePath
        }
        for state in readStates() where state.attachments.contains(where: isInside) {
            do throws(InjectionError) { try detach(state, isInside) } catch {
                log.error("cannot bring back", metadata: ["pod": "\(sandbox.pod)", "claim": "\(state.claim)", "error": "\(error)"])
            }
        }
        if sandboxes[sandbox.podUID]?.id == sandbox.id { sandboxes[sandbox.podUID] = nil }
    }

    /// All sandboxes there are, after the connection to the runtime was made: what happened in between
    /// is caught up with.
    package func synchronize(_ all: [Sandbox], deadline: Int) {
        sandboxes = Dictionary(all.map { ($0.podUID, $0) }, uniquingKeysWith: { _, last in last })
        let ids = Set(all.map(\.id))
        let namespaces = Set(all.compactMap { $0.namespacePath.flatMap(Self.identity) })
        func isLost(_ attachment: Attachment) -> Bool {
            !ids.contains(attachment.sandbox) && !namespaces.contains(attachment.namespace)
        }
        for state in readStates() where state.attachments.contains(where: isLost) {
            do throws(InjectionError) { try detach(state, isLost) } catch {
                log.error("cannot bring back", metadata: ["claim": "\(state.claim)", "error": "\(error)"])
            }
        }
        for sandbox in all { run(sandbox, deadline: deadline) }
    }

    // MARK: Requests

    /// May a container with this network namespace start? Everything of the claim has to be in it.
    package func admit(claim uid: String, namespace: NetworkNamespace?) throws(InjectionError) {
        guard let plan = try readPlan(uid), plan.phase == .prepared else {
            throw InjectionError("claim \(uid) is not prepared on this node")
        }
        guard plan.hasInterfaces else { return }
        guard let namespace else {
            throw InjectionError("claim \(plan.claim): the container's network namespace was not passed along")
        }
        let identity: FileIdentity
        do throws(SystemError) { identity = try namespace.identity() } catch { throw InjectionError("\(error)") }
        let known = sandboxes.values.first { sandbox in
            plan.pods.contains(sandbox.podUID) && sandbox.namespacePath.flatMap(Self.identity) == identity
        }
        guard let sandbox = known ?? Self.sandbox(of: plan, identity) else {
            throw InjectionError(
                "claim \(plan.claim): the container's network namespace is mounted nowhere that nearside-nri can see, so its interfaces could not be brought back"
            )
        }
        try attach(plan, to: sandbox)
    }

    /// The claim is given up: everything comes back to the host before this returns.
    package func release(claim uid: String) throws(InjectionError) {
        guard let state = try readState(uid) else { return }
        try detach(state) { _ in true }
    }

    // MARK: Attach and detach

    private func attach(_ plan: ClaimPlan, to sandbox: Sandbox) throws(InjectionError) {
        guard plan.hasInterfaces else { return }
        guard let path = sandbox.namespacePath else {
            throw InjectionError(
                "claim \(plan.claim): pod \(sandbox.pod) runs in the host's network, which cannot be given an interface")
        }
        let namespace: NetworkNamespace
        let identity: FileIdentity
        do throws(SystemError) {
            namespace = try NetworkNamespace(path: path)
            identity = try namespace.identity()
        } catch { throw InjectionError("claim \(plan.claim): \(error)") }

        if var state = try readState(plan.claim.uid) {
            if isComplete(plan, state, identity, namespace) {
                guard state.attachments.contains(where: { $0.sandbox != sandbox.id }) else { return }
                for index in state.attachments.indices { state.attachments[index].sandbox = sandbox.id }
                return try write(state)
            }
            // What is elsewhere, or half-way, goes back first: then there is one way only.
            if let other = state.attachments.first(where: { $0.namespace != identity && isAlive($0) }) {
                throw InjectionError("claim \(plan.claim): interface \(other.host.name) is still in another pod's sandbox")
            }
            try detach(state) { _ in true }
        }
        var orders: [PodNetwork.Order] = []
        var state = ClaimState(claim: plan.claim, attachments: [])
        do throws(PodNetworkError) {
            for device in plan.devices {
                guard let interface = device.interface else { continue }
                let record = try host.record(interface.hostName)
                orders.append(PodNetwork.Order(plan: interface, record: record))
                state.attachments.append(
                    Attachment(
                        phase: .moving, device: device.device, podUID: sandbox.podUID, sandbox: sandbox.id,
                        namespacePath: path, namespace: identity, podName: interface.name, host: record))
            }
        } catch { throw InjectionError("claim \(plan.claim): \(error)") }
        try write(state)
        let results: [PodNetwork.Result]
        do throws(PodNetworkError) { results = try network.attach(orders, to: namespace) } catch {
            // The attempt was rolled back. If that did not work either, the state keeps what is to come back.
            let isBack = orders.allSatisfy { (try? host.record($0.record.name)) != nil }
            if isBack { try removeState(plan.claim.uid) }
            throw InjectionError("claim \(plan.claim): \(error)")
        }
        for index in results.indices {
            state.attachments[index].phase = .attached
            state.attachments[index].addresses = results[index].addresses
            state.attachments[index].hardwareAddress = results[index].hardwareAddress
        }
        try write(state)
        log.info(
            "attached",
            metadata: [
                "pod": "\(sandbox.pod)", "claim": "\(plan.claim)",
                "interfaces": "\(state.attachments.map { "\($0.host.name) as \($0.podName)" }.joined(separator: ", "))",
            ])
    }

    private func isComplete(
        _ plan: ClaimPlan, _ state: ClaimState, _ identity: FileIdentity, _ namespace: NetworkNamespace
    ) -> Bool {
        let wanted = plan.devices.filter { $0.interface != nil }.map(\.device)
        guard wanted == state.attachments.map(\.device) else { return false }
        return state.attachments.allSatisfy { attachment in
            attachment.phase == .attached && attachment.namespace == identity
                && (try? network.isAttached(
                    attachment.host, podName: attachment.podName, isAltered: attachment.hardwareAddress,
                    in: namespace)) == true
        }
    }

    /// True when a running sandbox holds the interface.
    private func isAlive(_ attachment: Attachment) -> Bool {
        sandboxes.values.contains { $0.id == attachment.sandbox } && Self.namespace(of: attachment) != nil
    }

    /// Brings back what the condition says, and forgets it once it is back.
    private func detach(_ state: ClaimState, _ isMeant: (Attachment) -> Bool) throws(InjectionError) {
        var state = state
        var failures: [String] = []
        for attachment in state.attachments.filter(isMeant) {
            do throws(PodNetworkError) {
                try network.restore(
                    attachment.host, podName: attachment.podName, from: Self.namespace(of: attachment),
                    isAltered: attachment.hardwareAddress)
                state.attachments.removeAll { $0.device == attachment.device }
                log.info("brought back", metadata: ["claim": "\(state.claim)", "interface": "\(attachment.host.name)"])
            } catch { failures.append("\(error)") }
        }
        if state.attachments.isEmpty {
            try removeState(state.claim.uid)
        } else {
            try write(state)
        }
        if !failures.isEmpty { throw InjectionError("claim \(state.claim): \(failures.joined(separator: "; "))") }
    }

    // MARK: Namespaces

    /// The namespace an attachment went to, if it still exists.
    private static func namespace(of attachment: Attachment) -> NetworkNamespace? {
        guard let namespace = try? NetworkNamespace(path: attachment.namespacePath),
            (try? namespace.identity()) == attachment.namespace
        else { return nil }
        return namespace
    }

    private static func identity(_ path: String) -> FileIdentity? {
        (try? NetworkNamespace(path: path)).flatMap { try? $0.identity() }
    }

    /// The sandbox of a container whose pod the runtime has not told of: after a start of this program it
    /// does not tell before the container that is waiting for us has started.
    private static func sandbox(of plan: ClaimPlan, _ identity: FileIdentity) -> Sandbox? {
        guard let path = NetworkNamespace.mountPath(of: identity) else { return nil }
        let pod = plan.pods.first ?? ""
        return Sandbox(id: path, podUID: pod, pod: pod, namespacePath: path)
    }

    // MARK: Journal

    private func plans(of pod: String) -> [ClaimPlan] {
        let (plans, damaged) = journal.plans()
        for error in damaged { log.error("plan cannot be used", metadata: ["error": "\(error)"]) }
        return plans.filter { $0.phase == .prepared && $0.pods.contains(pod) }
    }

    private func readStates() -> [ClaimState] {
        let (states, damaged) = journal.states()
        for error in damaged { log.error("state cannot be used", metadata: ["error": "\(error)"]) }
        return states
    }

    private func readPlan(_ uid: String) throws(InjectionError) -> ClaimPlan? {
        do throws(JournalError) { return try journal.plan(uid) } catch { throw InjectionError("\(error)") }
    }

    private func readState(_ uid: String) throws(InjectionError) -> ClaimState? {
        do throws(JournalError) { return try journal.state(uid) } catch { throw InjectionError("\(error)") }
    }

    private func write(_ state: ClaimState) throws(InjectionError) {
        do throws(JournalError) { try journal.write(state) } catch { throw InjectionError("\(error)") }
    }

    private func removeState(_ uid: String) throws(InjectionError) {
        do throws(JournalError) { try journal.removeState(uid) } catch { throw InjectionError("\(error)") }
    }
}
