// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Linux
import Logging
import Primitives

/// Attaches devices to pods that started without them, and reports these pods to `nearside-node`.
///
/// A runtime starts pods even if its plugin is not connected, and no gate holds a container that does not name its claim. Such pods get
/// their devices when the plugin is connected again.
///
/// ## Concurrency model
/// Used by one thread.
final class LatePodManager: EventSource {
    /// A pod that may lack devices.
    private struct Candidate {
        var sandbox: Sandbox
        /// True if the pod has started containers. For other pods the kubelet retries.
        var isRunning: Bool
    }

    private let journal: AttachmentJournal
    private let lookup: ClaimLookup
    private let engine: AttachmentEngine
    private let log: Logger
    /// Pods that lack devices, by UID.
    private var candidates: [String: Candidate] = [:]
    /// Pods that started without devices, by UID; also pods that have their devices by now.
    private var reports: [String: LatePod] = [:]
    /// Number of attempts since pods began to lack devices.
    private var attempt = 0
    private var nextAttempt: Deadline?
    private var lastAttempted = ""

    private static let backoff = Backoff(first: .milliseconds(500), longest: .seconds(10))

    init(_ journal: AttachmentJournal, lookup: ClaimLookup, engine: AttachmentEngine, log: Logger) {
        (self.journal, self.lookup, self.engine, self.log) = (journal, lookup, engine, log)
    }

    /// Loads the reports of an earlier run.
    func resume() { reports = journal.latePods }

    /// Attaches the missing devices of pods until the deadline. The event loop continues with the other pods.
    ///
    /// - Parameters:
    ///   - sandboxes: all sandboxes of the runtime.
    ///   - running: IDs of sandboxes with started containers.
    func synchronize(_ sandboxes: [Sandbox], running: Set<String>, deadline: Deadline) {
        candidates = [:]
        let present = Set(sandboxes.map(\.podUID))
        for uid in reports.keys where !present.contains(uid) { forget(pod: uid) }
        for sandbox in sandboxes {
            let pod = Candidate(sandbox: sandbox, isRunning: running.contains(sandbox.id))
            if deadline.hasPassed { candidates[sandbox.podUID] = pod } else { attach(pod) }
        }
    }

    /// Attaches the missing devices of a pod.
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
            log.error(
                "attaching devices to a running pod failed",
                metadata: ["pod": "\(sandbox.pod)", "code": "\(failure.code)", "error": "\(failure)"])
        }
        if pod.isRunning { report(sandbox, missed, failure) }
    }

    /// Records that a pod started without devices of these claims.
    ///
    /// - Parameter failure: the reason why the pod still lacks devices; nil if it has all of them.
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
            log.error("reporting a late pod failed", metadata: ["pod": "\(sandbox.pod)", "error": "\(error)"])
        }
        if failure == nil { log.warning("devices attached to a pod that started without them", metadata: ["pod": "\(sandbox.pod)"]) }
    }

    /// Removes the report of an ended pod.
    func forget(pod uid: String) {
        candidates[uid] = nil
        if reports.removeValue(forKey: uid) != nil { journal.removeLatePod(uid) }
    }

    // MARK: Events

    var descriptors: [Descriptor] { [] }
    var deadline: Deadline? { nextAttempt }

    /// Retries one pod in each turn, with an exponential backoff, so that other sources are served in between.
    func handle(_ ready: ReadyDescriptors) {
        guard !candidates.isEmpty else {
            (attempt, nextAttempt) = (0, nil)
            return
        }
        let due = nextAttempt ?? .after(Self.backoff.delay(attempt: attempt))
        nextAttempt = due
        // Round-robin: a pod that never succeeds must not delay other pods.
        let turn = candidates.keys.sorted()
        guard due.hasPassed, let uid = turn.first(where: { $0 > lastAttempted }) ?? turn.first, let pod = candidates[uid] else { return }
        lastAttempted = uid
        attach(pod)
        attempt += 1
        nextAttempt = candidates.isEmpty ? nil : .after(Self.backoff.delay(attempt: attempt))
    }
}
