// SPDX-License-Identifier: Apache-2.0

import ClaimPlanning
import Journal
import JournalModel
import Kubernetes
import Linux
import Logging
import ResourceAPI
import ServiceLifecycle

/// Writes what became of claims into their status: when a device reached its pod, when it could not, and nothing any more when
/// the claim was given up.
///
/// A pod never waits for this. What could not be written is written later; what has changed meanwhile is written as it is then.
actor ClaimStatusService: Service {
    private let resources: ResourceClient
    private let journal: JournalFolder
    private let driver: String
    private let events: EventService
    private let log: Logger
    /// What is to be said, and what the cluster was told last, by the claim's UID.
    private var wished: [String: ClaimStatus] = [:]
    private var written: [String: ClaimStatus] = [:]
    private var refusals: [String: (claim: ClaimIdentity, message: String)] = [:]
    private let occasions: AsyncStream<Void>
    private let occasion: AsyncStream<Void>.Continuation
    nonisolated private let reports: AsyncStream<(ClaimIdentity, ClaimError?)>
    nonisolated private let queue: AsyncStream<(ClaimIdentity, ClaimError?)>.Continuation

    init(resources: ResourceClient, journal: JournalFolder, driver: String, events: EventService, log: Logger) {
        self.resources = resources
        self.journal = journal
        self.driver = driver
        self.events = events
        self.log = log
        (occasions, occasion) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (reports, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1024))
    }

    /// A claim that cannot be prepared, or, without an error, one that was given up.
    nonisolated func report(_ claim: ClaimIdentity, _ error: ClaimError?) { queue.yield((claim, error)) }

    func run() async throws {
        let plans = try FolderWatch(journal.plansFolder)
        occasion.yield()
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await _ in plans.changes { self.occasion.yield() } }
                group.addTask {
                    guard let states = await FolderWatch.waiting(for: self.journal.statesFolder) else { return }
                    self.occasion.yield()
                    for await _ in states.changes { self.occasion.yield() }
                }
                group.addTask { for await (claim, error) in self.reports { await self.note(claim, error) } }
                group.addTask { await self.write() }
                await group.waitForAll()
            }
        }
    }

    private func note(_ claim: ClaimIdentity, _ error: ClaimError?) {
        if let error {
            events.tell(claim, .warning, "PrepareFailed", error.description)
            refusals[claim.uid] = (claim, error.description)
        } else {
            refusals[claim.uid] = nil
            wished[claim.uid] = ClaimStatus(released: claim)
        }
        occasion.yield()
    }

    private static let pause = Duration.milliseconds(50)

    private func write() async {
        var attempt = 0
        for await _ in occasions {
            // Not in the way of who is in the middle of a claim; and what follows at once is written with it.
            guard (try? await Task.sleep(for: Self.pause)) != nil else { return }
            look()
            var failed = false
            for uid in wished.keys.sorted() {
                guard let status = wished[uid], written[uid] != status else { continue }
                if await !write(status) { failed = true }
            }
            for (uid, refusal) in refusals where await write(refusal: refusal.claim, refusal.message) { refusals[uid] = nil }
            if failed || !refusals.isEmpty {
                attempt += 1
                // Later, and then all that has changed by then.
                guard (try? await Task.sleep(for: Backoff.pause(attempt: attempt))) != nil else { return }
                occasion.yield()
            } else {
                attempt = 0
            }
        }
    }

    /// What the journal says now.
    private func look() {
        let plans = journal.plans().plans.filter { $0.phase == .prepared }
        let states = Dictionary(journal.states().states.map { ($0.claim.uid, $0) }, uniquingKeysWith: { first, _ in first })
        let time = Timestamp.now()
        for plan in plans {
            // One that is prepared now was refused before.
            refusals[plan.claim.uid] = nil
            wished[plan.claim.uid] = ClaimStatus(plan, states[plan.claim.uid], driver: driver, time: time, before: written[plan.claim.uid])
        }
    }

    /// - Returns: false when it has to be tried again.
    private func write(_ status: ClaimStatus) async -> Bool {
        let uid = status.claim.uid
        do throws(APIError) {
            try await resources.apply(
                status.devices, to: Metadata(name: status.claim.name, namespace: status.claim.namespace, uid: uid), driver: driver)
        } catch {
            guard error.isNotFound || error.isConflict || error.isInvalid else {
                if error.isForbidden {
                    log.warning("status of claims cannot be written; see manifests/rbac.yaml", metadata: ["error": "\(error)"])
                } else {
                    log.debug("status of a claim is written later", metadata: ["claim": "\(status.claim)", "error": "\(error)"])
                }
                return false
            }
            // The claim is gone, another one has its name, or it is not allocated any more: nobody is there to be told.
            log.debug("no status to write", metadata: ["claim": "\(status.claim)", "error": "\(error)"])
        }
        if status.devices.isEmpty {
            if wished[uid] == status { wished[uid] = nil }
            written[uid] = nil
        } else {
            written[uid] = status
        }
        return true
    }

    private func write(refusal claim: ClaimIdentity, _ message: String) async -> Bool {
        do throws(APIError) {
            let now = try await resources.claim(claim.name, namespace: claim.namespace, timeout: .seconds(10))
            guard now.metadata.uid == claim.uid, let results = now.status?.allocation?.devices.results else { return true }
            let status = ClaimStatus(
                refused: claim, results, message, driver: driver, time: Timestamp.now(), before: written[claim.uid])
            if written[claim.uid] == status || status.devices.isEmpty { return true }
            return await write(status)
        } catch { return error.isNotFound || error.isForbidden }
    }
}
