// SPDX-License-Identifier: Apache-2.0

import Journal
import Kubernetes
import Linux
import Logging
import ResourceAPI

extension ClaimPreparer {
    /// Writes into the plans of prepared claims that the pod uses them, where it does. Plans that were damaged are made anew before.
    package func note(pod name: String, namespace: String, uid: String) async throws(ClaimError) {
        let pod: Pod
        do throws(APIError) { pod = try await resources.pod(name, namespace: namespace, patience: Self.podPatience) } catch {
            throw ClaimError("pod \(namespace)/\(name) cannot be read: \(error)")
        }
        guard pod.metadata.uid == uid else {
            throw ClaimError(
                "pod \(namespace)/\(name) was replaced: the runtime has UID \(uid), the cluster \(pod.metadata.uid ?? "none")")
        }
        let names = pod.claimNames
        guard !names.isEmpty else { return }
        try await remakeLost(names, namespace)
        try await withPlans("pod \(namespace)/\(name)", until: ContinuousClock.now + Self.podPatience) { () throws(ClaimError) in
            do throws(JournalError) {
                for plan in plans.all() where plans.isDamaged(plan.claim.uid) { try plans.write(plan) }
                for var plan in plans.all()
                where plan.phase == .prepared && plan.claim.namespace == namespace && names.contains(plan.claim.name)
                    && !plan.pods.contains(uid)
                {
                    plan.pods.append(uid)
                    try plans.write(plan)
                    log.info("another pod uses the claim", metadata: ["claim": "\(plan.claim)", "pod": "\(namespace)/\(name)"])
                }
            } catch { throw ClaimError("pod \(namespace)/\(name): \(error)") }
        }
    }

    /// Prepares those of the claims again whose plans were damaged while nobody remembered them: the kubelet asks once and not again.
    private func remakeLost(_ names: Set<String>, _ namespace: String) async throws(ClaimError) {
        guard !plans.lostClaims().isEmpty else { return }
        for name in names.sorted() {
            let claim: ResourceClaim
            do throws(APIError) { claim = try await resources.claim(name, namespace: namespace, patience: Self.podPatience) } catch {
                throw ClaimError("claim \(namespace)/\(name) cannot be read: \(error)")
            }
            guard let uid = claim.metadata.uid, plans.lostClaims().contains(uid) else { continue }
            try await remake(
                ClaimIdentity(namespace: namespace, name: name, uid: uid), claim, until: ContinuousClock.now + Self.podPatience)
        }
    }

    /// The runtime waits two seconds for all plugins, unless it is told otherwise.
    private static let podPatience = Duration.milliseconds(800)
}
