// SPDX-License-Identifier: Apache-2.0

package import ClaimPlanning
import Journal
import JournalModel
import Kubernetes
import Logging
import ResourceAPI

extension ClaimPreparer {
    /// Adds a pod to the plans of the prepared claims that it uses. Restores damaged plans first.
    ///
    /// A claim is reserved for its pods, by UID, before they are bound to a node. Only for a claim that is reserved for a group of pods,
    /// the pod itself has to be read; RBAC grants this right only in clusters with such groups.
    package func note(pod name: String, namespace: String, uid: String) async throws(ClaimError) {
        let end = ContinuousClock.now + Self.podTimeout
        try await setAsideForeignPlans(until: end)
        let lost = plans.lostClaims()
        let remembered = (options.prepared?.list() ?? []).filter { lost.contains($0.uid) }
        let open = plans.all().filter { $0.isOpen == true && $0.phase == .prepared && !$0.pods.contains(uid) }.map(\.claim)
        var used: Set<String> = []
        // Names of the claims in the pod's specification, once they were read.
        var named: Set<String>?
        for identity in (remembered + open).filter({ $0.namespace == namespace }).sorted(by: { $0.uid < $1.uid }) {
            guard let claim = try await existing(identity) else { continue }
            var isUsed = claim.isReserved(for: uid)
            if !isUsed, claim.isReservedForGroup {
                let names: Set<String>
                if let named { names = named } else { names = try await claimNames(ofPod: name, namespace, uid, identity.description) }
                named = names
                isUsed = names.contains(identity.name)
            }
            guard isUsed else { continue }
            used.insert(identity.uid)
            if lost.contains(identity.uid) { try await remake(identity, claim, until: end) }
        }
        // The name of a claim that is known only by its UID is in the specifications of the pods that use it.
        if let nameless = lost.subtracting(remembered.map(\.uid)).min() {
            let names: Set<String>
            if let named {
                names = named
            } else {
                names = try await claimNames(ofPod: name, namespace, uid, "the claim with UID \(nameless), whose plan was damaged")
            }
            for name in names.sorted() {
                let identity = ClaimIdentity(namespace: namespace, name: name, uid: "")
                guard let claim = try await existing(identity), let uid = claim.metadata.uid, lost.contains(uid) else { continue }
                used.insert(uid)
                try await remake(ClaimIdentity(namespace: namespace, name: name, uid: uid), claim, until: end)
            }
        }
        try await write(used, pod: "\(namespace)/\(name)", uid, until: end)
    }

    private func write(
        _ claims: Set<String>, pod: String, _ uid: String, until end: ContinuousClock.Instant
    ) async throws(ClaimError) {
        try await withPlans("pod \(pod)", until: end) { () throws(ClaimError) in
            do throws(JournalError) {
                for plan in plans.all() where plans.isDamaged(plan.claim.uid) { try plans.write(plan) }
                for var plan in plans.all()
                where plan.phase == .prepared && claims.contains(plan.claim.uid) && !plan.pods.contains(uid) {
                    plan.pods.append(uid)
                    try plans.write(plan)
                    log.info("pod added to claim", metadata: ["claim": "\(plan.claim)", "pod": "\(pod)"])
                }
            } catch { throw ClaimError(.journal, object: "pod \(pod)", step: "write the plans of the pod's claims", "\(error)") }
        }
    }

    /// The claim in the cluster; nil if it was deleted or replaced. Without a UID, any claim of that name.
    private func existing(_ identity: ClaimIdentity) async throws(ClaimError) -> ResourceClaim? {
        do throws(APIError) {
            let claim = try await resources.claim(identity.name, namespace: identity.namespace, timeout: Self.podTimeout)
            return identity.uid.isEmpty || claim.metadata.uid == identity.uid ? claim : nil
        } catch {
            if error.isNotFound, !error.isUnknownPath { return nil }
            throw ClaimError(.unreadable, identity, step: "read", "\(error)")
        }
    }

    /// Names of the claims in a pod's specification.
    ///
    /// - Parameter reason: the claim that makes it necessary to read the pod, for the error.
    private func claimNames(
        ofPod name: String, _ namespace: String, _ uid: String, _ reason: String
    ) async throws(ClaimError) -> Set<String> {
        let pod: Pod
        do throws(APIError) { pod = try await resources.pod(name, namespace: namespace, timeout: Self.podTimeout) } catch {
            throw ClaimError(
                .unreadable, object: "pod \(namespace)/\(name)", step: "read", "\(error)",
                advice: error.isForbidden
                    ? "only the pod's specification shows whether the pod uses \(reason): grant the right with manifests/optional/pod-groups.yaml"
                    : nil)
        }
        guard pod.metadata.uid == uid else {
            throw ClaimError(
                .replaced, object: "pod \(namespace)/\(name)", step: "read",
                "the UID is \(uid) in the runtime and \(pod.metadata.uid ?? "none") in the cluster")
        }
        return pod.claimNames
    }

    /// Shorter than the runtime's time-out for all plugins, which is two seconds by default.
    private static let podTimeout = Duration.milliseconds(800)
}

extension ResourceClaim {
    fileprivate func isReserved(for pod: String) -> Bool {
        (status?.reservedFor ?? []).contains { $0.resource == "pods" && ($0.apiGroup ?? "").isEmpty && $0.uid == pod }
    }

    /// True if the claim is reserved for a consumer other than pods.
    fileprivate var isReservedForGroup: Bool { (status?.reservedFor ?? []).contains { $0.resource != "pods" } }
}
