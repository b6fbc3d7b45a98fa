// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Journal
import JournalModel
import Kubernetes
import ResourceAPI

extension ClaimPreparer {
    /// Waits for the release of a claim that holds a device. After a forced deletion the pod is gone from the cluster, and its devices
    /// are allocated again before the kubelet unprepares their claim (kubernetes#141471).
    ///
    /// - Parameters:
    ///   - holder: the plan of the claim that holds the device.
    ///   - error: the conflict. It is thrown at once if the holder is in use, and with the advice to retry after the time-out.
    func awaitRelease(of holder: ClaimPlan, _ error: ClaimError, until end: ContinuousClock.Instant) async throws(ClaimError) {
        guard try await isLeaving(holder) else { throw error }
        while let plan = plans.plan(holder.claim.uid), Self.shareDevice(plan, holder) {
            guard ContinuousClock.now < end, (try? await Task.sleep(for: Self.heldInterval)) != nil else {
                throw error.advising("claim \(holder.claim) is being released: retry")
            }
        }
        // Bounded, because other claims may take the device in turn.
        if ContinuousClock.now >= end { throw error.advising("retry") }
    }

    /// The time-out of the wait: shorter than the kubelet's backoff before its next attempt.
    static let heldTimeout = Duration.seconds(5)

    private static let heldInterval = Duration.milliseconds(20)

    private static func shareDevice(_ one: ClaimPlan, _ other: ClaimPlan) -> Bool {
        !Set(one.devices.map(\.device)).isDisjoint(with: other.devices.map(\.device))
    }

    /// True if the claim is being released, has been deleted or replaced in the cluster, or has lost its allocation.
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
