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

/// Releases claims that have a plan here and do not exist any more: a kubelet that lost its checkpoint never asks for it, and their
/// devices would be held until the machine restarts.
///
/// The kubelet releases the claims of a pod that was deleted by force after they are gone too. A claim is therefore released only when
/// the API server does not have it at two checks that are ``after`` apart, with nothing of it in a pod's namespace. It is released as the
/// kubelet would release it, confirmed by `nearside-nri`.
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
    /// The time for which a claim has to be gone; nil to leave orphans alone.
    let after: Duration?
    let count: Count
    let log: Logger

    /// The longest time between two checks, each of which is one request for each plan of the node.
    private static let longestInterval = Duration.seconds(3600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var missing: [String: ContinuousClock.Instant] = [:]
            while let after {
                let interval = missing.isEmpty ? min(after * 4, Self.longestInterval) : after
                // Not at one moment on all nodes.
                guard (try? await Task.sleep(for: interval + interval / 4 * Double.random(in: 0...1))) != nil else { return }
                missing = await check(missing, after)
            }
            // A service that returns ends the daemon.
            while (try? await Task.sleep(for: .seconds(86_400))) != nil {}
        }
    }

    /// - Parameter missing: the times since which claims are known to be gone, by UID.
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

    /// True when the API server has no such claim, or another one of its name.
    private func isGone(_ identity: ClaimIdentity) async -> Bool {
        do throws(APIError) {
            let claim = try await resources.claim(identity.name, namespace: identity.namespace, timeout: .seconds(10))
            return claim.metadata.uid.map { $0 != identity.uid } ?? false
        } catch { return error.isNotFound && !error.isUnknownPath }
    }

    /// True when an interface of the claim is in a pod, or its state cannot be read.
    private func isInPod(_ claim: ClaimIdentity) -> Bool {
        do throws(JournalError) { return try journal.state(claim.uid)?.attachments.isEmpty == false } catch { return true }
    }
}
