// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Journal
import JournalModel
import Kubernetes
import ResourceAPI

extension ClaimPreparer {
    /// Waits for a claim that is on its way out to let go of its devices: a pod that was deleted by force is gone from the cluster, and its
    /// devices are allocated anew, before the kubelet has released them (kubernetes#141471).
    ///
    /// - Parameter error: why the devices cannot be had now; thrown at once when the claim has them by right, and with the advice to
    ///   retry when they are not released in time.
    func awaitRelease(of holder: ClaimPlan, _ error: ClaimError, until end: ContinuousClock.Instant) async throws(ClaimError) {
        guard try await isLeaving(holder) else { throw error }
        while let plan = plans.plan(holder.claim.uid), Self.shareDevice(plan, holder) {
            guard ContinuousClock.now < end, (try? await Task.sleep(for: Self.heldPause)) != nil else {
                throw ClaimError("\(error); claim \(holder.claim) is about to be released: retry")
            }
        }
        // A device that is held again and again is not waited for without end.
        if ContinuousClock.now >= end { throw ClaimError("\(error); retry") }
    }

    /// In this time a pod starts without the pause of the kubelet's next attempt.
    static let heldTimeout = Duration.seconds(5)

    private static let heldPause = Duration.milliseconds(20)

    private static func shareDevice(_ one: ClaimPlan, _ other: ClaimPlan) -> Bool {
        !Set(one.devices.map(\.device)).isDisjoint(with: other.devices.map(\.device))
    }

    /// True when the claim is being released, or the cluster does not know it any more, has another one of its name, or has taken the
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
