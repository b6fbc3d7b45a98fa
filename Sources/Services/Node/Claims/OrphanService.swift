// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import ClaimPreparation
import Journal
import JournalModel
import Kubernetes
import Logging
import ResourceAPI
import ServiceLifecycle
import Synchronization

/// Releases claims that have a plan on this node but were deleted from the cluster: a kubelet that lost its checkpoint never unprepares
/// them, and their devices would stay reserved until the machine restarts.
///
/// After a forced deletion of a pod, the kubelet also unprepares claims that are already deleted. A claim is therefore released only if
/// the API server has no such claim at two checks ``after`` apart, and if no device of it is in a pod's namespace. The release is the
/// kubelet's own, confirmed by `nearside-nri`.
struct OrphanService: Service {
    /// The number of released claims, for metrics.
    final class Count: Sendable {
        private let count = Mutex(0)

        var current: Int { count.withLock { $0 } }
        func increment() { count.withLock { $0 += 1 } }
    }

    let preparer: ClaimPreparer
    let resources: ResourceClient
    let journal: JournalFolder
    /// The time after which a deleted claim is released; nil to disable the release.
    let after: Duration?
    let count: Count
    let log: Logger

    /// The longest delay between two checks, each of which makes one request for each plan of the node.
    private static let longestInterval = Duration.seconds(3600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var missing: [String: ContinuousClock.Instant] = [:]
            while let after {
                let interval = missing.isEmpty ? min(after * 4, Self.longestInterval) : after
                // Jitter, so that nodes do not check at the same moment.
                guard (try? await Task.sleep(for: interval + interval / 4 * Double.random(in: 0...1))) != nil else { return }
                missing = await check(missing, after)
            }
            // A service that returns would end the daemon.
            while (try? await Task.sleep(for: .seconds(86_400))) != nil {}
        }
    }

    /// - Parameter missing: the times since which claims are known to be deleted, by UID.
    /// - Returns: the same after this check.
    private func check(_ missing: [String: ContinuousClock.Instant], _ after: Duration) async -> [String: ContinuousClock.Instant] {
        var now: [String: ContinuousClock.Instant] = [:]
        for claim in await preparer.claims() {
            guard await isGone(claim) else { continue }
            let since = missing[claim.uid] ?? .now
            guard ContinuousClock.now - since >= after, !isInPod(claim) else {
                now[claim.uid] = since
                continue
            }
            do throws(ClaimError) {
                try await preparer.unprepare(claim)
                count.increment()
                log.notice("orphaned claim released", metadata: ["claim": "\(claim)", "uid": "\(claim.uid)"])
            } catch {
                log.warning("orphaned claim not released yet", metadata: ["claim": "\(claim)", "error": "\(error)"])
                now[claim.uid] = since
            }
        }
        return now
    }

    /// True if the claim was deleted or replaced at the API server.
    private func isGone(_ identity: ClaimIdentity) async -> Bool {
        do throws(APIError) {
            let claim = try await resources.claim(identity.name, namespace: identity.namespace, timeout: .seconds(10))
            return claim.metadata.uid.map { $0 != identity.uid } ?? false
        } catch { return error.isNotFound && !error.isUnknownPath }
    }

    /// True if an interface of the claim is in a pod, or the claim's state is unreadable.
    private func isInPod(_ claim: ClaimIdentity) -> Bool {
        do throws(JournalError) { return try journal.state(claim.uid)?.attachments.isEmpty == false } catch { return true }
    }
}
