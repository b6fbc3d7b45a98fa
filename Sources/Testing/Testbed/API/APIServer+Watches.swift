// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOHTTP1
import ResourceAPI
import Synchronization

/// Watches of collections.
extension APIServer {
    struct Watcher {
        var collection: String
        var fields: [String: String]
        var version: ResourceAPIVersion
        var channel: any Channel
    }

    /// Sends a bookmark to all watches.
    package func sendBookmarks() {
        let (watchers, version) = state.withLock { (Array($0.watchers.values), $0.store.version) }
        for watcher in watchers {
            let object = JSONValue.object(["metadata": .object(["resourceVersion": .string(String(version))])])
            send("BOOKMARK", object, to: watcher)
        }
    }

    /// Ends all watches, like a load balancer.
    package func cutWatches() {
        for watcher in state.withLock({ Array($0.watchers.values) }) { watcher.channel.close(promise: nil) }
    }

    static func matches(_ change: ObjectStore.Change, _ watcher: Watcher) -> Bool {
        change.collection == watcher.collection && Self.matches(change.object, watcher.fields)
    }

    static func matches(_ object: JSONValue, _ fields: [String: String]) -> Bool {
        fields.allSatisfy { key, value in
            key.split(separator: ".").reduce(object as JSONValue?) { $0?[String($1)] } == .string(value)
        }
    }

    func send(_ type: String, _ object: JSONValue, to watcher: Watcher) {
        let count = Self.write(type, object, to: watcher)
        state.withLock { $0.bytes += count }
    }

    /// Sends an event, and returns its size in bytes.
    static func write(_ type: String, _ object: JSONValue, to watcher: Watcher) -> Int {
        let event = JSONValue.object(["type": .string(type), "object": SliceShape.shown(object, in: watcher.version)])
        guard let data = try? JSONEncoder().encode(event) else { return 0 }
        watcher.channel.writeAndFlush(
            HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: [UInt8](data) + [0x0a]))), promise: nil)
        return data.count + 1
    }

    func watch(
        _ request: APIRequest, _ collection: String, _ channel: any Channel
    ) throws(ObjectStore.Refusal) {
        guard let from = Int(request.query["resourceVersion"] ?? "") else {
            throw ObjectStore.Refusal(code: 400, reason: "BadRequest", message: "resourceVersion is missing")
        }
        let watcher = Watcher(collection: collection, fields: request.fields, version: request.version ?? .v1, channel: channel)
        let key = ObjectIdentifier(channel)
        let head = HTTPResponseHead(
            version: .http1_1, status: .ok, headers: ["Content-Type": "application/json", "Transfer-Encoding": "chunked"])
        channel.writeAndFlush(HTTPServerResponsePart.head(head), promise: nil)
        if state.withLock({ from < $0.store.oldest }) {
            // Like the real server: the status is OK, and the first event is the error.
            send(
                "ERROR",
                .object(["kind": .string("Status"), "code": .integer(410), "reason": .string("Expired"), "message": .string("too old")]),
                to: watcher)
            channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
            return
        }
        state.withLock { state in
            for change in state.store.changes where change.version > from && Self.matches(change, watcher) {
                state.bytes += Self.write(change.type, change.object, to: watcher)
            }
            state.watchers[key] = watcher
        }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.state.withLock { _ = $0.watchers.removeValue(forKey: key) }
        }
    }
}
