// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Journal
import JournalModel
import Kubernetes
import Linux
import Logging
import Primitives
import ResourceAPI
import ServiceLifecycle

/// Writes the state of devices into the status of their claims: after an attach, after a failure, and an empty status after the release.
///
/// Pods never wait for this service. A failed write is retried with the status of that later time.
actor ClaimStatusService: Service {
    /// Reports of the claim preparer.
    private struct Reports: Sendable {
        let stream: AsyncStream<(ClaimIdentity, ClaimError?)>
        let continuation: AsyncStream<(ClaimIdentity, ClaimError?)>.Continuation

        init() { (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1024)) }
    }

    private let resources: ResourceClient
    private let journal: JournalFolder
    private let driver: String
    private let events: EventService
    private let log: Logger
    /// The desired and the last written status of claims, by the claim's UID.
    private var desired: [String: ClaimStatus] = [:]
    private var written: [String: ClaimStatus] = [:]
    private var refusals: [String: (claim: ClaimIdentity, error: ClaimError)] = [:]
    private let wakeup = Wakeup()
    nonisolated private let reports = Reports()

    /// Debounce: collects changes, so that no status is written while a claim is being prepared.
    private static let settlingTime = Duration.milliseconds(50)
    private static let readTimeout = Duration.seconds(10)

    init(resources: ResourceClient, journal: JournalFolder, driver: String, events: EventService, log: Logger) {
        self.resources = resources
        self.journal = journal
        self.driver = driver
        self.events = events
        self.log = log
    }

    /// Queues a claim that could not be prepared, or, without an error, a released claim.
    nonisolated func report(_ claim: ClaimIdentity, _ error: ClaimError?) { reports.continuation.yield((claim, error)) }

    func run() async throws {
        let plans = try FolderWatch(journal.plansFolder)
        wakeup.signal()
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.wakeup.forward(plans.changes) }
                group.addTask {
                    guard let states = await FolderWatch.waiting(for: self.journal.statesFolder) else { return }
                    self.wakeup.signal()
                    await self.wakeup.forward(states.changes)
                }
                group.addTask { for await (claim, error) in self.reports.stream { await self.note(claim, error) } }
                group.addTask { await self.write() }
                await group.waitForAll()
            }
        }
    }

    private func note(_ claim: ClaimIdentity, _ error: ClaimError?) {
        if let error {
            events.post(claim, .warning, error.code.rawValue, error.description)
            refusals[claim.uid] = (claim, error)
        } else {
            refusals[claim.uid] = nil
            desired[claim.uid] = ClaimStatus(released: claim)
        }
        wakeup.signal()
    }

    // MARK: Writing

    private func write() async {
        var attempt = 0
        for await _ in wakeup.signals {
            guard (try? await Task.sleep(for: Self.settlingTime)) != nil else { return }
            await readJournal()
            guard await !writeAll() else {
                attempt = 0
                continue
            }
            attempt += 1
            guard (try? await Task.sleep(for: Backoff.delay(attempt: attempt))) != nil else { return }
            wakeup.signal()
        }
    }

    /// Reads the desired status of prepared claims from the journal.
    private func readJournal() async {
        let journal = journal
        let (plans, states) = await CachedThreadPool.shared.value { (journal.plans().plans, journal.states().states) }
        let stateOfClaim = Dictionary(states.map { ($0.claim.uid, $0) }, uniquingKeysWith: { first, _ in first })
        let time = Timestamp.now()
        for plan in plans where plan.phase == .prepared {
            let uid = plan.claim.uid
            // The claim was prepared after the refusal.
            refusals[uid] = nil
            desired[uid] = ClaimStatus(plan, stateOfClaim[uid], driver: driver, time: time, before: written[uid])
        }
    }

    /// - Returns: false if a write has to be retried.
    private func writeAll() async -> Bool {
        var isDone = true
        for uid in desired.keys.sorted() {
            guard let status = desired[uid], written[uid] != status else { continue }
            if await !write(status) { isDone = false }
        }
        for (uid, refusal) in refusals where await write(refusal.error, of: refusal.claim) { refusals[uid] = nil }
        return isDone && refusals.isEmpty
    }

    /// - Returns: false if the write has to be retried.
    private func write(_ status: ClaimStatus) async -> Bool {
        let uid = status.claim.uid
        do throws(APIError) {
            try await resources.apply(
                status.devices, to: Metadata(name: status.claim.name, namespace: status.claim.namespace, uid: uid), driver: driver)
        } catch {
            let metadata: Logger.Metadata = ["claim": "\(status.claim)", "error": "\(error)"]
            guard error.isNotFound || error.isConflict || error.isInvalid else {
                if error.isForbidden {
                    log.warning("claim status not written; see manifests/rbac.yaml", metadata: metadata)
                } else {
                    log.debug("claim status not written yet", metadata: metadata)
                }
                return false
            }
            // The claim was deleted, replaced or deallocated.
            log.debug("claim status dropped: the claim is gone", metadata: metadata)
        }
        if status.devices.isEmpty {
            if desired[uid] == status { desired[uid] = nil }
            written[uid] = nil
        } else {
            written[uid] = status
        }
        return true
    }

    private func write(_ refusal: ClaimError, of claim: ClaimIdentity) async -> Bool {
        do throws(APIError) {
            let current = try await resources.claim(claim.name, namespace: claim.namespace, timeout: Self.readTimeout)
            guard current.metadata.uid == claim.uid, let results = current.status?.allocation?.devices.results else { return true }
            let status = ClaimStatus(
                refused: claim, results, refusal, driver: driver, time: Timestamp.now(), before: written[claim.uid])
            if written[claim.uid] == status || status.devices.isEmpty { return true }
            return await write(status)
        } catch { return error.isNotFound || error.isForbidden }
    }
}
