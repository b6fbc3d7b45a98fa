// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging

/// Pods that slipped through: a runtime that has lost its plugin goes on without it, and where no container names the claim no gate
/// holds it. When the plugin is back they get what they lack, and people hear of it.
extension PodInjector {
    /// A sandbox that was told of after a connection was made.
    struct Unsettled {
        var sandbox: Sandbox
        /// Containers have been started in it.
        var isRunning: Bool
    }

    /// Attaches what the pod lacks. What cannot be had now is tried again where nobody else would: a pod that runs.
    func settle(_ pod: Unsettled) {
        let sandbox = pod.sandbox
        var missed: [ClaimIdentity] = []
        var problem: InjectionError?
        do throws(InjectionError) {
            try identify(sandbox)
            for plan in plans(of: sandbox.podUID) {
                missed.append(plan.claim)
                if try !attach(plan, to: sandbox) { missed.removeLast() }
            }
        } catch { problem = error }
        unsettled[sandbox.podUID] = problem == nil || !pod.isRunning ? nil : pod
        if let problem { log.error("a pod lacks its devices", metadata: ["pod": "\(sandbox.pod)", "error": "\(problem)"]) }
        guard pod.isRunning else { return }
        let words = sandbox.pod.split(separator: "/", maxSplits: 1).map(String.init)
        var report = late[sandbox.podUID]
        if report == nil, !missed.isEmpty, words.count == 2 {
            report = LatePod(namespace: words[0], name: words[1], uid: sandbox.podUID, claims: [])
        }
        guard var report else { return }
        report.claims += missed.filter { !report.claims.contains($0) }
        report.problem = problem?.description
        guard report != late[sandbox.podUID] else { return }
        late[sandbox.podUID] = report
        do throws(JournalError) { try journal.write(report) } catch { log.error("\(error)") }
        if problem == nil { log.warning("a pod ran without its devices, and has them now", metadata: ["pod": "\(sandbox.pod)"]) }
    }

    /// The pod is gone, and with it what there was to say of it.
    func forget(pod uid: String) {
        unsettled[uid] = nil
        if late.removeValue(forKey: uid) != nil { journal.removeLatePod(uid) }
    }

    /// Tries again, one pod at a time: others are to be served in between. Returns when the next try is due, nil for never.
    package func settleAgain() -> Int? {
        guard !unsettled.isEmpty else {
            settlePause = Self.firstSettlePause
            return nil
        }
        let now = Poller.now()
        if nextSettle == 0 { nextSettle = now + settlePause }
        // In turn: one that never succeeds must not keep others waiting.
        let turn = unsettled.keys.sorted()
        guard nextSettle <= now, let uid = turn.first(where: { $0 > lastSettled }) ?? turn.first, let pod = unsettled[uid] else {
            return nextSettle
        }
        lastSettled = pod.sandbox.podUID
        settle(pod)
        settlePause = min(settlePause * 2, Self.longestSettlePause)
        nextSettle = unsettled.isEmpty ? 0 : Poller.now() + settlePause
        return unsettled.isEmpty ? nil : nextSettle
    }

    static let firstSettlePause = 500
    private static let longestSettlePause = 10_000
}
