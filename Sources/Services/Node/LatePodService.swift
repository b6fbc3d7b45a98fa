// SPDX-License-Identifier: Apache-2.0

import Journal
import JournalModel
import Kubernetes
import Linux
import Logging
import ResourceAPI
import ServiceLifecycle

/// What becomes of pods that started without devices of their claims.
package enum EvictionPolicy: String, Sendable, CaseIterable {
    /// They are told of by an event.
    case never
    /// Those that cannot be given their devices any more.
    case failed
    /// All: a program may have looked for its devices once, when it started.
    case late
}

/// Tells of pods that `nearside-nri` found without their devices, and evicts them where the policy says so.
actor LatePodService: Service {
    private let resources: ResourceClient
    private let journal: JournalFolder
    private let events: EventService
    private let policy: EvictionPolicy
    private let log: Logger
    /// What was said of each pod, and which are evicted.
    private var told: [String: LatePod] = [:]
    private var evicted: Set<String> = []
    private let occasions: AsyncStream<Void>
    private let occasion: AsyncStream<Void>.Continuation

    init(resources: ResourceClient, journal: JournalFolder, events: EventService, policy: EvictionPolicy, log: Logger) {
        self.resources = resources
        self.journal = journal
        self.events = events
        self.policy = policy
        self.log = log
        (occasions, occasion) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    guard let watch = await FolderWatch.waiting(for: self.journal.latePodsFolder) else { return }
                    self.occasion.yield()
                    for await _ in watch.changes { self.occasion.yield() }
                }
                group.addTask { await self.look() }
                await group.waitForAll()
            }
        }
    }

    private func look() async {
        var attempt = 0
        for await _ in occasions {
            let (pods, damaged) = journal.latePods()
            for error in damaged { log.error("report cannot be used", metadata: ["error": "\(error)"]) }
            told = told.filter { uid, _ in pods.contains { $0.uid == uid } }
            evicted = evicted.filter { uid in pods.contains { $0.uid == uid } }
            for pod in pods where told[pod.uid] != pod {
                tell(pod)
                told[pod.uid] = pod
            }
            var failed = false
            for pod in pods where isToGo(pod) && !evicted.contains(pod.uid) {
                if await evict(pod) { evicted.insert(pod.uid) } else { failed = true }
            }
            attempt = failed ? attempt + 1 : 0
            guard failed else { continue }
            guard (try? await Task.sleep(for: Backoff.pause(attempt: attempt))) != nil else { return }
            occasion.yield()
        }
    }

    private func isToGo(_ pod: LatePod) -> Bool {
        switch policy {
        case .never: false
        case .failed: pod.problem != nil
        case .late: true
        }
    }

    private func tell(_ pod: LatePod) {
        let claims = pod.claims.map(\.description).joined(separator: ", ")
        let about = Event.Object(kind: "Pod", namespace: pod.namespace, name: pod.name, uid: pod.uid)
        if let problem = pod.problem {
            events.tell(about, .warning, "DevicesMissing", "it runs without devices of \(claims): \(problem)")
        } else {
            events.tell(
                about, .warning, "DevicesLate",
                "it was started without devices of \(claims), as the runtime went on without nearside-nri; it has them now")
        }
    }

    /// - Returns: false when it has to be tried again.
    private func evict(_ pod: LatePod) async -> Bool {
        do throws(APIError) {
            try await resources.evict(pod.name, namespace: pod.namespace, uid: pod.uid)
            log.notice("evicted", metadata: ["pod": "\(pod.namespace)/\(pod.name)"])
            return true
        } catch {
            // It is gone, or another one has its name.
            if error.isNotFound || error.isConflict { return true }
            log.warning("a pod cannot be evicted yet", metadata: ["pod": "\(pod.namespace)/\(pod.name)", "error": "\(error)"])
            return false
        }
    }
}
