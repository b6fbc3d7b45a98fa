// SPDX-License-Identifier: Apache-2.0

import ClaimPreparation
import Kubernetes
import Primitives
import ServiceLifecycle

/// Restores lost plans of prepared claims until all are restored.
struct RestoreService: Service {
    let preparer: ClaimPreparer

    /// The time-out of the restore before this instance registers with the kubelet. Without the API server it registers after that: the
    /// kubelet can then unprepare claims, while `nearside-nri` holds back containers that may use a lost plan.
    static let startTimeout = Duration.seconds(10)
    private static let attemptTimeout = Duration.seconds(20)

    /// Restores plans before the kubelet is served.
    ///
    /// - Returns: the number of plans that are still lost.
    static func restoreAtStart(_ preparer: ClaimPreparer) async -> Int {
        guard await preparer.findLostPlans() > 0 else { return 0 }
        let end = ContinuousClock.now + startTimeout
        var left = await preparer.restoreLostPlans(until: end)
        var attempt = 0
        while left > 0 {
            attempt += 1
            let delay = Backoff.delay(attempt: attempt + 2)
            guard ContinuousClock.now + delay < end, (try? await Task.sleep(for: delay)) != nil else { break }
            left = await preparer.restoreLostPlans(until: end)
        }
        return left
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var attempt = 0
            while await preparer.hasLostPlans {
                attempt += 1
                guard (try? await Task.sleep(for: Backoff.delay(attempt: attempt + 3, longest: .seconds(60)))) != nil else { return }
                _ = await preparer.restoreLostPlans(until: ContinuousClock.now + Self.attemptTimeout)
            }
            // A service that returns would end the daemon.
            while (try? await Task.sleep(for: .seconds(86_400))) != nil {}
        }
    }
}
