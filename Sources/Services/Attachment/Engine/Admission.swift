// SPDX-License-Identifier: Apache-2.0

import JournalModel
import Linux
import Logging
import NetworkModel

/// Attaches the devices of claims that a pod needs, and decides whether its containers may be created and started.
///
/// ## Concurrency model
/// Used by one thread.
struct Admission {
    let journal: AttachmentJournal
    let engine: AttachmentEngine
    let lookup: ClaimLookup
    let leases: LeaseManager
    let sandboxes: SandboxTable
    let hostNamespace: FileIdentity
    let log: Logger

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
}

/// An attached claim that waits for a DHCP lease.
struct AwaitedClaim: Hashable, Sendable {
    var claim: ClaimIdentity
    var reason: String

    var error: AttachmentError { AttachmentError(.leaseAwaited, "claim \(claim)", reason) }
}
