// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Journal
import JournalModel
import Kubernetes
import ResourceAPI

extension ClaimPreparer {
    /// Waits for a claim that is about to be released: a pod that was deleted by force is gone from the cluster, and its devices are
    /// allocated anew, before the kubelet has released them (kubernetes#141471).
    ///
    /// - Parameters:
    ///   - holder: the plan of the claim that has the devices.
    ///   - error: the conflict; thrown at once when the holder is in use, and with the advice to retry when it is not released in time.
    func awaitRelease(of holder: ClaimPlan, _ error: ClaimError, until end: ContinuousClock.Instant) async throws(ClaimError) {
        guard try await isLeaving(holder) else { throw error }
        while let plan = plans.plan(holder.claim.uid), Self.shareDevice(plan, holder) {
            guard ContinuousClock.now < end, (try? await Task.sleep(for: Self.heldInterval)) != nil else {
                throw error.advising("claim \(holder.claim) is about to be released: retry")
            }
        }
        // A device that other claims take again and again is not waited for without end.
        if ContinuousClock.now >= end { throw error.advising("retry") }
    }

    /// The time to wait for a release: less than the kubelet's backoff before its next attempt.
    static let heldTimeout = Duration.seconds(5)

    private static let heldInterval = Duration.milliseconds(20)

    private static func shareDevice(_ one: ClaimPlan, _ other: ClaimPlan) -> Bool {
        !Set(one.devices.map(\.device)).isDisjoint(with: other.devices.map(\.device))
    }

    /// True when the claim is being released, or the cluster does not have it any more, has another one of its name, or has taken the
    /// allocation away.
    private func isLeaving(_ plan: ClaimPlan) async throws(ClaimError) -> Bool {
        if plan.phase == .released { return true }
        do throws(APIError) {
            let claim = try await resources.claim(plan.claim.name, namespace: plan.claim.namespace, timeout: Self.heldTimeout)
            guard claim.metadata.uid == plan.claim.uid else { return true }
            let allocated = Set((claim.status?.allocation?.devices.results ?? []).map(\.device))
            return allocated.isDisjoint(with: plan.devices.map { $0.group ?? $0.device })
        } catch { return error.isNotFound && !error.isUnknownPath }
    }
}
