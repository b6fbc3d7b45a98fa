// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
import Kubernetes
import Logging
import ResourceAPI
import ServiceLifecycle

/// Writes events of the node, of claims and of pods.
///
/// An event that cannot be written is logged, and not retried: taints, status and the health stream are the interfaces for programs.
struct EventService: Service {
    private struct Item {
        /// Nil for the node.
        var object: Event.Object?
        var type: Event.Kind
        var reason: String
        var message: String
    }

    private let resources: ResourceClient
    private let driver: String
    private let node: String
    private let log: Logger
    private let items: AsyncStream<Item>
    private let queue: AsyncStream<Item>.Continuation

    /// An event is written only once within this time, because the kubelet retries failing claims continuously.
    private static let repetition = Duration.seconds(60)

    init(resources: ResourceClient, driver: String, node: String, log: Logger) {
        self.resources = resources
        self.driver = driver
        self.node = node
        self.log = log
        (items, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    }

    /// Queues an event of the node.
    func post(_ type: Event.Kind, _ reason: String, _ message: String) {
        queue.yield(Item(object: nil, type: type, reason: reason, message: message))
    }

    /// Queues an event of a claim.
    func post(_ claim: ClaimIdentity, _ type: Event.Kind, _ reason: String, _ message: String) {
        let object = Event.Object(
            apiVersion: "\(ResourceAPIVersion.group)/v1", kind: "ResourceClaim", namespace: claim.namespace, name: claim.name,
            uid: claim.uid)
        post(object, type, reason, message)
    }

    /// Queues an event of an object.
    func post(_ object: Event.Object, _ type: Event.Kind, _ reason: String, _ message: String) {
        queue.yield(Item(object: object, type: type, reason: reason, message: message))
    }

    func run() async throws {
        var node: Event.Object?
        var last: (object: Event.Object?, message: String, time: ContinuousClock.Instant)?
        for await item in items.cancelOnGracefulShutdown() {
            if let last, last.object == item.object, last.message == item.message, last.time.duration(to: .now) < Self.repetition {
                continue
            }
            last = (item.object, item.message, .now)
            do throws(APIError) {
                let object: Event.Object
                if let known = item.object ?? node { object = known } else { object = try await nodeObject() }
                if item.object == nil { node = object }
                try await write(item, object)
            } catch {
                log.warning("event not written", metadata: ["reason": "\(item.reason)", "event": "\(item.message)", "error": "\(error)"])
            }
        }
    }

    private func nodeObject() async throws(APIError) -> Event.Object {
        Event.Object(kind: "Node", name: node, uid: try await resources.node(node).metadata.uid)
    }

    private func write(_ item: Item, _ object: Event.Object) async throws(APIError) {
        try await resources.post(
            Event(
                about: object, reason: item.reason, message: item.message, type: item.type, component: driver, host: node,
                time: Timestamp.now()))
    }
}

enum Timestamp {
    /// The current time as RFC 3339, in whole seconds, UTC.
    static func now() -> String {
        var seconds = time(nil)
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = unsafe strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
