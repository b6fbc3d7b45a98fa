// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging

/// Attaches devices to pods that started without them, and reports these pods to `nearside-node`.
///
/// A runtime that has lost its plugin goes on without it, and where no container names the claim no gate holds it. When the plugin is back,
/// such pods get their devices late.
///
/// ## Concurrency model
/// Used by one thread.
final class LatePodManager: EventSource {
    /// A pod that may lack devices.
    private struct Candidate {
        var sandbox: Sandbox
        /// True when containers have been started in it. For other pods the kubelet retries.
        var isRunning: Bool
    }

    private let journal: AttachmentJournal
    private let lookup: ClaimLookup
    private let engine: AttachmentEngine
    private let log: Logger
    /// Pods that lack devices, by UID.
    private var candidates: [String: Candidate] = [:]
    /// Pods that started without devices, by UID, whether they have them by now or not.
    private var reports: [String: LatePod] = [:]
    private var delay = LatePodManager.firstDelay
    private var nextAttempt: Deadline?
    private var lastAttempted = ""

    private static let firstDelay = Duration.milliseconds(500)
    private static let longestDelay = Duration.seconds(10)

    init(_ journal: AttachmentJournal, lookup: ClaimLookup, engine: AttachmentEngine, log: Logger) {
        (self.journal, self.lookup, self.engine, self.log) = (journal, lookup, engine, log)
    }

    /// Takes over the reports of an earlier run.
    func resume() { reports = journal.latePods }

    /// Attaches what the pods lack, until the deadline; the others follow later.
    ///
    /// - Parameters:
    ///   - sandboxes: all that the runtime has.
    ///   - running: IDs of those in which containers have been started.
    func synchronize(_ sandboxes: [Sandbox], running: Set<String>, deadline: Deadline) {
        candidates = [:]
        let present = Set(sandboxes.map(\.podUID))
        for uid in reports.keys where !present.contains(uid) { forget(pod: uid) }
        for sandbox in sandboxes {
            let pod = Candidate(sandbox: sandbox, isRunning: running.contains(sandbox.id))
            if deadline.hasPassed { candidates[sandbox.podUID] = pod } else { attach(pod) }
        }
    }

    /// Attaches what the pod lacks.
    private func attach(_ pod: Candidate) {
        let sandbox = pod.sandbox
        var missed: [ClaimIdentity] = []
        var failure: AttachmentError?
        do throws(AttachmentError) {
            try lookup.identify(sandbox)
            for plan in journal.preparedPlans(of: sandbox.podUID) {
                missed.append(plan.claim)
                if try !engine.attach(plan, to: sandbox) { missed.removeLast() }
            }
        } catch { failure = error }
        candidates[sandbox.podUID] = failure == nil || !pod.isRunning ? nil : pod
        if let failure {
            log.error("pod lacks its devices", metadata: ["pod": "\(sandbox.pod)", "code": "\(failure.code)", "error": "\(failure)"])
        }
        if pod.isRunning { report(sandbox, missed, failure) }
    }

    /// Writes down that a pod started without devices of these claims.
    ///
    /// - Parameter failure: the reason why it still lacks some; nil when it has all.
    private func report(_ sandbox: Sandbox, _ missed: [ClaimIdentity], _ failure: AttachmentError?) {
        var report = reports[sandbox.podUID]
        if report == nil, !missed.isEmpty, let pod = sandbox.podName {
            report = LatePod(namespace: pod.namespace, name: pod.name, uid: sandbox.podUID, claims: [])
        }
        guard var report else { return }
        report.claims += missed.filter { !report.claims.contains($0) }
        report.problem = failure?.description
        guard report != reports[sandbox.podUID] else { return }
        reports[sandbox.podUID] = report
        do throws(JournalError) { try journal.write(report) } catch {
            log.error("late pod cannot be reported", metadata: ["pod": "\(sandbox.pod)", "error": "\(error)"])
        }
        if failure == nil { log.warning("pod started without its devices and has them now", metadata: ["pod": "\(sandbox.pod)"]) }
    }

    /// Removes the report of a pod that is gone.
    func forget(pod uid: String) {
        candidates[uid] = nil
        if reports.removeValue(forKey: uid) != nil { journal.removeLatePod(uid) }
    }

    // MARK: Events

    var descriptors: [Descriptor] { [] }
    var deadline: Deadline? { nextAttempt }

    /// Tries again for one pod, so that others are served in between, with an exponential backoff.
    func handle(_ ready: ReadyDescriptors) {
        guard !candidates.isEmpty else {
            (delay, nextAttempt) = (Self.firstDelay, nil)
            return
        }
        let due = nextAttempt ?? .after(delay)
        nextAttempt = due
        // In turn: a pod that never succeeds must not keep others waiting.
        let turn = candidates.keys.sorted()
        guard due.hasPassed, let uid = turn.first(where: { $0 > lastAttempted }) ?? turn.first, let pod = candidates[uid] else { return }
        lastAttempted = uid
        attach(pod)
        delay = min(delay * 2, Self.longestDelay)
        nextAttempt = candidates.isEmpty ? nil : .after(delay)
    }
}
