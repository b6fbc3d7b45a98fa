// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Kubernetes
import Logging
import ResourceAPI
import ServiceLifecycle

/// Tells people what happened, by events of the node and of claims.
///
/// An event that cannot be sent is not worth more than a line in the log: taints, status and the health stream are what counts.
struct EventService: Service {
    private struct Item {
        var about: Event.Object?
        var type: Event.Kind
        var reason: String
        var message: String
    }

    private let resources: ResourceClient
    private let driver: String
    private let node: String
    private let log: Logger
    private let events: AsyncStream<Item>
    private let queue: AsyncStream<Item>.Continuation

    init(resources: ResourceClient, driver: String, node: String, log: Logger) {
        self.resources = resources
        self.driver = driver
        self.node = node
        self.log = log
        (events, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    }

    func tell(_ type: Event.Kind, _ reason: String, _ message: String) {
        queue.yield(Item(about: nil, type: type, reason: reason, message: message))
    }

    func tell(_ claim: ClaimIdentity, _ type: Event.Kind, _ reason: String, _ message: String) {
        let claim = Event.Object(
            apiVersion: "\(ResourceAPIVersion.group)/v1", kind: "ResourceClaim", namespace: claim.namespace, name: claim.name,
            uid: claim.uid)
        tell(claim, type, reason, message)
    }

    func tell(_ about: Event.Object, _ type: Event.Kind, _ reason: String, _ message: String) {
        queue.yield(Item(about: about, type: type, reason: reason, message: message))
    }

    func run() async throws {
        var uid: String?
        var last: (about: Event.Object?, message: String, at: ContinuousClock.Instant)?
        for await event in events.cancelOnGracefulShutdown() {
            // The kubelet asks again and again for a claim that cannot be prepared; that is news once a minute.
            if let last, last.about == event.about, last.message == event.message, last.at.duration(to: .now) < .seconds(60) { continue }
            last = (event.about, event.message, .now)
            do throws(APIError) {
                var about = event.about
                if about == nil {
                    if uid == nil { uid = try await resources.node(node).metadata.uid }
                    about = .init(kind: "Node", name: node, uid: uid)
                }
                guard let about else { continue }
                try await resources.post(
                    Event(
                        about: about, reason: event.reason, message: event.message, type: event.type, component: driver, host: node,
                        time: Timestamp.now()))
            } catch {
                log.warning("an event could not be written", metadata: ["event": "\(event.message)", "error": "\(error)"])
            }
        }
    }
}

enum Timestamp {
    /// RFC 3339, whole seconds, UTC.
    static func now() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
