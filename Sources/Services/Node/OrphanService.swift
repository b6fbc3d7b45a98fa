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
/// It takes its time, as the kubelet releases the claims of a pod that was deleted by force after they are gone too: a claim has to be
/// gone, by what the API server says for sure, at two looks that are ``Options/after`` apart, with nothing of it in a pod's namespace.
/// Then it is released as the kubelet would, with `nearside-nri` to confirm it.
struct OrphanService: Service {
    /// How many were released, for metrics.
    final class Count: Sendable {
        private let count = Mutex(0)

        var current: Int { count.withLock { $0 } }
        func increment() { count.withLock { $0 += 1 } }
    }

    let preparer: ClaimPreparer
    let resources: ResourceClient
    let journal: JournalFolder
    /// How long a claim has to be gone; nil to leave them.
    let after: Duration?
    let count: Count
    let log: Logger

    /// One request for each plan of the node: seldom, and not at one moment on all nodes.
    private static let longestPause = Duration.seconds(3600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var missing: [String: ContinuousClock.Instant] = [:]
            while let after {
                let pause = missing.isEmpty ? min(after * 4, Self.longestPause) : after
                guard (try? await Task.sleep(for: pause + pause / 4 * Double.random(in: 0...1))) != nil else { return }
                missing = await look(missing, after)
            }
            // A service that returns ends the daemon.
            while (try? await Task.sleep(for: .seconds(86_400))) != nil {}
        }
    }

    /// - Parameter missing: since when claims are known to be gone, by UID.
    private func look(_ missing: [String: ContinuousClock.Instant], _ after: Duration) async -> [String: ContinuousClock.Instant] {
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
                log.notice("orphaned claim released: it does not exist any more", metadata: ["claim": "\(claim)", "uid": "\(claim.uid)"])
            } catch {
                log.warning("an orphaned claim cannot be released yet", metadata: ["claim": "\(claim)", "error": "\(error)"])
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

    /// True when an interface of it is in a pod, or nothing can be known of that.
    private func isInPod(_ claim: ClaimIdentity) -> Bool {
        do throws(JournalError) { return try journal.state(claim.uid)?.attachments.isEmpty == false } catch { return true }
    }
}
