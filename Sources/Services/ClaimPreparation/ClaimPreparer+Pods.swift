// SPDX-License-Identifier: Apache-2.0

package import ClaimPlanning
import Journal
import JournalModel
import Kubernetes
import Logging
import ResourceAPI

extension ClaimPreparer {
    /// Writes into the plans of prepared claims that the pod uses them, where it does. Plans that were damaged are made anew before.
    ///
    /// A claim is reserved for its pods, by UID, before they are bound to a node, so the claims alone tell. Only of a claim that is reserved
    /// for a group of pods the pod itself has to be read, for which the right is granted where such groups are used.
    package func note(pod name: String, namespace: String, uid: String) async throws(ClaimError) {
        let end = ContinuousClock.now + Self.podTimeout
        let lost = plans.lostClaims()
        let remembered = (options.prepared?.list() ?? []).filter { lost.contains($0.uid) }
        let open = plans.all().filter { $0.isOpen == true && $0.phase == .prepared && !$0.pods.contains(uid) }.map(\.claim)
        var used: Set<String> = []
        // The claims that the pod itself says it uses, once they had to be asked for.
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
        // Of a claim without a name nobody but its pods can tell.
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
                    log.info("another pod uses the claim", metadata: ["claim": "\(plan.claim)", "pod": "\(pod)"])
                }
            } catch { throw ClaimError("pod \(pod): \(error)") }
        }
    }

    /// The claim as the cluster has it; nil when there is none, or another one of its name. Without a UID, whichever there is.
    private func existing(_ identity: ClaimIdentity) async throws(ClaimError) -> ResourceClaim? {
        do throws(APIError) {
            let claim = try await resources.claim(identity.name, namespace: identity.namespace, timeout: Self.podTimeout)
            return identity.uid.isEmpty || claim.metadata.uid == identity.uid ? claim : nil
        } catch {
            if error.isNotFound, !error.isUnknownPath { return nil }
            throw ClaimError("claim \(identity) cannot be read: \(error)")
        }
    }

    /// Names of the claims that a pod uses.
    ///
    /// - Parameter reason: the claim for whose sake the pod is read, for the error.
    private func claimNames(
        ofPod name: String, _ namespace: String, _ uid: String, _ reason: String
    ) async throws(ClaimError) -> Set<String> {
        let pod: Pod
        do throws(APIError) { pod = try await resources.pod(name, namespace: namespace, timeout: Self.podTimeout) } catch {
            let advice =
                error.isForbidden
                ? "; only the pod tells whether it uses \(reason): grant the right with manifests/optional/pod-groups.yaml" : ""
            throw ClaimError("pod \(namespace)/\(name) cannot be read: \(error)\(advice)")
        }
        guard pod.metadata.uid == uid else {
            throw ClaimError(
                "pod \(namespace)/\(name) was replaced: the runtime has UID \(uid), the cluster \(pod.metadata.uid ?? "none")")
        }
        return pod.claimNames
    }

    /// The runtime waits two seconds for all plugins, unless it is told otherwise.
    private static let podTimeout = Duration.milliseconds(800)
}

extension ResourceClaim {
    fileprivate func isReserved(for pod: String) -> Bool {
        (status?.reservedFor ?? []).contains { $0.resource == "pods" && ($0.apiGroup ?? "").isEmpty && $0.uid == pod }
    }

    /// True when it is reserved for something else than pods.
    fileprivate var isReservedForGroup: Bool { (status?.reservedFor ?? []).contains { $0.resource != "pods" } }
}
