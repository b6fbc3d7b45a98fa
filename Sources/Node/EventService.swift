// SPDX-License-Identifier: Apache-2.0

import Glibc
import Kubernetes
import Logging
import ResourceAPI
import ServiceLifecycle

/// Tells people what happened to devices, by events of the node.
///
/// An event that cannot be sent is not worth more than a line in the log: taints and the health stream are what counts.
struct EventService: Service {
    private let resources: ResourceClient
    private let driver: String
    private let node: String
    private let log: Logger
    private let events: AsyncStream<(type: Event.Kind, reason: String, message: String)>
    private let queue: AsyncStream<(type: Event.Kind, reason: String, message: String)>.Continuation

    init(resources: ResourceClient, driver: String, node: String, log: Logger) {
        self.resources = resources
        self.driver = driver
        self.node = node
        self.log = log
        (events, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(64))
    }

    func tell(_ type: Event.Kind, _ reason: String, _ message: String) { queue.yield((type, reason, message)) }

    func run() async throws {
        var uid: String?
        for await event in events.cancelOnGracefulShutdown() {
            do throws(APIError) {
                if uid == nil { uid = try await resources.node(node).metadata.uid }
                try await resources.post(
                    Event(
                        about: .init(kind: "Node", name: node, uid: uid), reason: event.reason, message: event.message, type: event.type,
                        component: driver, host: node, time: Self.now()))
            } catch {
                log.warning("an event could not be written", metadata: ["event": "\(event.message)", "error": "\(error)"])
            }
        }
    }

    /// RFC 3339, whole seconds, UTC.
    private static func now() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
