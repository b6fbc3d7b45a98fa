// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Kubernetes
import Linux
import Logging
import Primitives
import ResourceAPI
import ServiceLifecycle

/// The policy for pods that started without devices of their claims.
package enum EvictionPolicy: String, Sendable, CaseIterable {
    /// Only an event reports the pod.
    case never
    /// Evicts pods whose devices cannot be attached later.
    case failed
    /// Evicts all of them, because a program may look for its devices only at its start.
    case late
}

/// Reports pods that started without their devices, and evicts them according to the policy.
actor LatePodService: Service {
    private let resources: ResourceClient
    private let journal: JournalFolder
    private let events: EventService
    private let policy: EvictionPolicy
    private let log: Logger
    /// The last report about each pod, and the evicted pods, by UID.
    private var reported: [String: LatePod] = [:]
    private var evicted: Set<String> = []
    private let wakeup = Wakeup()

    init(resources: ResourceClient, journal: JournalFolder, events: EventService, policy: EvictionPolicy, log: Logger) {
        self.resources = resources
        self.journal = journal
        self.events = events
        self.policy = policy
        self.log = log
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    guard let watch = await FolderWatch.waiting(for: self.journal.latePodsFolder) else { return }
                    self.wakeup.signal()
                    await self.wakeup.forward(watch.changes)
                }
                group.addTask { await self.handleChanges() }
                await group.waitForAll()
            }
        }
    }

    private func handleChanges() async {
        var attempt = 0
        for await _ in wakeup.signals {
            guard await !handle() else {
                attempt = 0
                continue
            }
            attempt += 1
            guard (try? await Task.sleep(for: Backoff.delay(attempt: attempt))) != nil else { return }
            wakeup.signal()
        }
    }

    /// - Returns: false if a write has to be retried.
    private func handle() async -> Bool {
        let journal = journal
        let (pods, damaged) = await CachedThreadPool.shared.value { journal.latePods() }
        for error in damaged { log.error("reading the report of a late pod failed", metadata: ["error": "\(error)"]) }
        let uids = Set(pods.map(\.uid))
        reported = reported.filter { uids.contains($0.key) }
        evicted.formIntersection(uids)
        for pod in pods where reported[pod.uid] != pod {
            report(pod)
            reported[pod.uid] = pod
        }
        var isDone = true
        for pod in pods where isEvictable(pod) && !evicted.contains(pod.uid) {
            if await evict(pod) { evicted.insert(pod.uid) } else { isDone = false }
        }
        return isDone
    }

    private func isEvictable(_ pod: LatePod) -> Bool {
        switch policy {
        case .never: false
        case .failed: pod.problem != nil
        case .late: true
        }
    }

    private func report(_ pod: LatePod) {
        let claims = pod.claims.map(\.description).joined(separator: ", ")
        let object = Event.Object(kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid)
        if let problem = pod.problem {
            events.post(object, .warning, EventReason.devicesMissing, "the pod runs without devices of \(claims): \(problem)")
        } else {
            events.post(
                object, .warning, EventReason.devicesLate,
                "the runtime started the pod without nearside-nri and without devices of \(claims); they are attached now")
        }
    }

    /// - Returns: false if the eviction has to be retried.
    private func evict(_ pod: LatePod) async -> Bool {
        do throws(APIError) {
            try await resources.evict(pod.name, namespace: pod.namespace, uid: pod.uid)
            log.notice("pod evicted", metadata: ["pod": "\(pod.namespace)/\(pod.name)"])
            return true
        } catch {
            // The pod was deleted or replaced.
            if error.isNotFound || error.isConflict { return true }
            log.warning("pod not evicted yet", metadata: ["pod": "\(pod.namespace)/\(pod.name)", "error": "\(error)"])
            return false
        }
    }
}

/// Reasons of events about pods.
enum EventReason {
    /// The pod runs without devices of its claims.
    static let devicesMissing = "DevicesMissing"
    /// The pod started without devices of its claims, which are attached now.
    static let devicesLate = "DevicesLate"
}
