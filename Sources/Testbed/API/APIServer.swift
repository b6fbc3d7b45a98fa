// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
package import ResourceAPI
import Synchronization

/// An API server on loopback: the resources a driver uses, over real HTTP, with real watches.
package final class APIServer: Sendable {
    fileprivate struct State {
        var store = ObjectStore()
        var watchers: [ObjectIdentifier: Watcher] = [:]
        var requests: [String] = []
        var bytes = 0
        var faults: [Fault] = []
        var served = Set(ResourceAPIVersion.allCases)
        var deniesStatus = false
        /// Of those who come over HTTP.
        var admission: AdmissionRules?
        /// Answers that are given byte by byte, by the path of the object.
        var texts: [String: [UInt8]] = [:]
    }

    fileprivate struct Watcher {
        var collection: String
        var fields: [String: String]
        var version: ResourceAPIVersion
        var channel: any Channel
    }

    /// An answer that is given in place of the right one.
    package struct Fault: Hashable, Sendable {
        package var method: String
        package var pathPrefix: String
        /// The status to answer with; 0 for no answer at all, -1 for a connection that is cut.
        package var code: Int
        package var times: Int
        /// Seconds that the answer asks for.
        package var retryAfter: Int?

        package init(_ method: String, _ pathPrefix: String, code: Int, times: Int = 1, retryAfter: Int? = nil) {
            self.method = method
            self.pathPrefix = pathPrefix
            self.code = code
            self.times = times
            self.retryAfter = retryAfter
        }
    }

    fileprivate let state = Mutex(State())
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup
    private let router: Router

    /// `http://127.0.0.1:PORT`
    package let url: String

    /// With what a server shows who it is, and what it asks of clients.
    package struct Identity: Sendable {
        package var certificateFile: String
        package var keyFile: String
        /// The bearer token without which every request is refused.
        package var token: String

        package init(certificateFile: String, keyFile: String, token: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.token = token
        }
    }

    private let token: String?

    /// Listens in the network namespace of the calling thread; with an identity, over TLS.
    package init(identity: Identity? = nil) throws {
        token = identity?.token
        let tls = try identity.map { identity in
            try NIOSSLContext(
                configuration: .makeServerConfiguration(
                    certificateChain: try NIOSSLCertificate.fromPEMFile(identity.certificateFile).map { .certificate($0) },
                    privateKey: .privateKey(try NIOSSLPrivateKey(file: identity.keyFile, format: .pem))))
        }
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let router = Router()
        self.router = router
        channel = try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.submit {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                }.flatMap { channel.pipeline.configureHTTPServerPipeline() }.flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(RequestHandler(router))
                }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        url = "\(tls == nil ? "http" : "https")://127.0.0.1:\(channel.localAddress?.port ?? 0)"
        router.server.withLock { $0 = self }
    }

    /// Has to be called: until then the handlers keep the server.
    package func shutDown() {
        router.server.withLock { $0 = nil }
        try? channel.close().wait()
        try? group.syncShutdownGracefully()
    }

    // MARK: For tests

    package func add(_ collection: String, _ object: some Encodable) throws {
        let value = try JSONValue(parsing: try JSONEncoder().encode(object))
        _ = try apply { (store) throws(ObjectStore.Refusal) in try store.create(collection, value) }
    }

    /// Deletes an object as a user does.
    package func remove(_ collection: String, _ name: String) throws {
        try apply { (store) throws(ObjectStore.Refusal) in try store.delete(collection, name, nil) }
    }

    /// From now on this text is the answer to whoever reads the object, byte by byte: for what no JSON value of ours can hold.
    package func answer(_ collection: String, _ name: String, with text: [UInt8]) {
        state.withLock { $0.texts["\(collection)/\(name)"] = text }
    }

    package func slices() throws -> [ResourceSlice] {
        let data = try JSONEncoder().encode(state.withLock { $0.store.list("resourceslices") })
        return try JSONDecoder().decode([ResourceSlice].self, from: data)
    }

    /// What the kubelet does to a node's slices when it starts.
    package func deleteAllSlices() throws {
        for slice in try slices() {
            try apply { (store) throws(ObjectStore.Refusal) in
                try store.delete("resourceslices", slice.metadata.name ?? "", nil)
            }
        }
    }

    /// Method and path of all requests so far.
    package var requests: [String] { state.withLock { $0.requests } }

    /// Whether all slices of the newest generation are there, as a scheduler wants it before it looks at any.
    package func hasWholePool() throws -> Bool {
        let slices = try slices()
        let generation = slices.map(\.spec.pool.generation).max()
        let newest = slices.filter { $0.spec.pool.generation == generation }
        return !newest.isEmpty && newest.allSatisfy { $0.spec.pool.resourceSliceCount == Int64(newest.count) }
            && newest.count == slices.count
    }

    /// Bytes of all requests and answers so far, watches included, without headers.
    package var bytes: Int { state.withLock { $0.bytes } }

    /// From now on as a server with just these feature gates off.
    package func switchOff(_ gates: Set<FeatureGate>) { state.withLock { $0.store.gatesOff = gates } }

    /// From now on with these versions of resource.k8s.io alone.
    package func serve(only versions: Set<ResourceAPIVersion>) { state.withLock { $0.served = versions } }

    /// From now on no driver may write the status of a claim's devices (granular authorization, Kubernetes 1.36).
    package func denyStatus() { state.withLock { $0.deniesStatus = true } }

    /// From now on as a cluster with manifests/node-restriction.yaml, for the token of one node. What tests change by themselves is others'
    /// doing, and goes on unjudged.
    package func restrict(to rules: AdmissionRules) { state.withLock { $0.admission = rules } }

    /// Forgets the past: a watch has to begin at what is now.
    package func compact() { state.withLock { $0.store.compact() } }

    /// Tells all who watch how far they are.
    package func sendBookmarks() {
        let (watchers, version) = state.withLock { (Array($0.watchers.values), $0.store.version) }
        for watcher in watchers {
            let object = JSONValue.object(["metadata": .object(["resourceVersion": .string(String(version))])])
            send("BOOKMARK", object, to: watcher)
        }
    }

    package func events() throws -> [Event] {
        let data = try JSONEncoder().encode(state.withLock { $0.store.list("events/default") })
        return try JSONDecoder().decode([Event].self, from: data)
    }

    package func claim(_ name: String) throws -> ResourceClaim {
        let value = try apply { (store) throws(ObjectStore.Refusal) in try store.get("resourceclaims/default", name) }
        return try ResourceClaim(json: value.text)
    }

    /// Reserves an allocated claim for a pod, as the scheduler does.
    package func reserve(_ name: String, for pod: ConsumerReference) throws {
        var claim = try claim(name)
        let reserved = claim.status?.reservedFor ?? []
        claim.status?.reservedFor = reserved + [pod]
        try remove("resourceclaims/default", name)
        try add("resourceclaims/default", claim)
    }

    package func pod(_ name: String) throws -> Pod {
        let value = try apply { (store) throws(ObjectStore.Refusal) in try store.get("pods/default", name) }
        return try JSONDecoder().decode(Pod.self, from: JSONEncoder().encode(value))
    }

    /// What another writer would do to a slice.
    package func replace(_ slice: ResourceSlice) throws {
        let value = try JSONValue(parsing: JSONEncoder().encode(slice))
        try apply { (store) throws(ObjectStore.Refusal) in try store.replace("resourceslices", slice.metadata.name ?? "", value) }
    }

    package func inject(_ fault: Fault) { state.withLock { $0.faults.append(fault) } }

    /// From now on as it should be.
    package func recover() { state.withLock { $0.faults = [] } }

    /// Ends all watches, as a load balancer does.
    package func cutWatches() {
        for watcher in state.withLock({ Array($0.watchers.values) }) { watcher.channel.close(promise: nil) }
    }

    // MARK: Requests

    /// Changes the store and tells those who watch.
    @discardableResult
    fileprivate func apply<Value: Sendable>(
        judged: Bool = false, _ body: (inout ObjectStore) throws(ObjectStore.Refusal) -> Value
    ) throws(ObjectStore.Refusal) -> Value {
        let result: Result<Value, ObjectStore.Refusal> = state.withLock { state in
            let before = state.store.changes.count
            state.store.admission = judged ? state.admission : nil
            do throws(ObjectStore.Refusal) {
                let value = try body(&state.store)
                for change in state.store.changes[before...] {
                    for watcher in state.watchers.values where Self.matches(change, watcher) {
                        state.bytes += Self.write(change.type, change.object, to: watcher)
                    }
                }
                return .success(value)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    fileprivate static func matches(_ change: ObjectStore.Change, _ watcher: Watcher) -> Bool {
        change.collection == watcher.collection && Self.matches(change.object, watcher.fields)
    }

    fileprivate static func matches(_ object: JSONValue, _ fields: [String: String]) -> Bool {
        fields.allSatisfy { key, value in
            key.split(separator: ".").reduce(object as JSONValue?) { $0?[String($1)] } == .string(value)
        }
    }

    fileprivate func send(_ type: String, _ object: JSONValue, to watcher: Watcher) {
        let count = Self.write(type, object, to: watcher)
        state.withLock { $0.bytes += count }
    }

    /// Sends an event; how many bytes it has.
    fileprivate static func write(_ type: String, _ object: JSONValue, to watcher: Watcher) -> Int {
        let event = JSONValue.object(["type": .string(type), "object": SliceShape.shown(object, in: watcher.version)])
        guard let data = try? JSONEncoder().encode(event) else { return 0 }
        watcher.channel.writeAndFlush(
            HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: [UInt8](data) + [0x0a]))), promise: nil)
        return data.count + 1
    }

    fileprivate func handle(_ head: HTTPRequestHead, _ body: [UInt8], _ channel: any Channel) {
        let request = APIRequest(head, body)
        let fault: Fault? = state.withLock { state in
            state.requests.append("\(head.method.rawValue) \(request.path)\(request.isWatch ? "?watch" : "")")
            state.bytes += body.count
            guard
                let index = state.faults.firstIndex(where: {
                    $0.times > 0 && $0.method == (request.isWatch ? "WATCH" : head.method.rawValue) && request.path.hasPrefix($0.pathPrefix)
                })
            else { return nil }
            state.faults[index].times -= 1
            return state.faults[index]
        }
        if let fault {
            if fault.code == 0 { return }
            if fault.code < 0 { return channel.close(promise: nil) }
            let refusal = ObjectStore.Refusal(code: fault.code, reason: "Injected", message: "an injected fault", object: "injected")
            return refuse(refusal, channel, retryAfter: fault.retryAfter)
        }
        do throws(ObjectStore.Refusal) {
            if let token, head.headers.first(name: "Authorization") != "Bearer \(token)" {
                throw ObjectStore.Refusal(code: 401, reason: "Unauthorized", message: "Unauthorized")
            }
            if request.path == "/apis/resource.k8s.io" { return respond(200, apiGroup, channel) }
            let isServed = state.withLock { state in request.version.map { state.served.contains($0) } ?? !request.path.hasPrefix("/apis/")
            }
            guard let collection = request.collection, isServed else {
                throw ObjectStore.Refusal(code: 404, reason: "NotFound", message: "the server could not find the requested resource")
            }
            let known: Set<String> = ["spec.driver", "spec.nodeName", "metadata.name"]
            for field in request.fields.keys where !known.contains(field) {
                throw ObjectStore.Refusal(code: 400, reason: "BadRequest", message: "field label not supported: \(field)")
            }
            if request.isWatch { return try watch(request, collection, channel) }
            if head.method == .GET, collection.hasPrefix("pods/"), state.withLock({ $0.admission?.readsPods == false }) {
                throw ObjectStore.Refusal(code: 403, reason: "Forbidden", message: "pods is forbidden: the role has no right to get them")
            }
            if head.method == .GET, let text = state.withLock({ $0.texts["\(collection)/\(request.name ?? "")"] }) {
                return respond(200, text, channel)
            }
            let value = try answer(request, collection, head.method)
            respond(200, value, channel)
        } catch { refuse(error, channel) }
    }

    /// The versions that are served (meta/v1 APIGroup).
    private var apiGroup: JSONValue {
        let served = state.withLock { $0.served }
        let versions = ResourceAPIVersion.allCases.filter(served.contains).map { version in
            JSONValue.object(["groupVersion": .string(version.groupVersion), "version": .string(version.rawValue)])
        }
        return .object(["kind": .string("APIGroup"), "name": .string(ResourceAPIVersion.group), "versions": .array(versions)])
    }

    private func answer(
        _ request: APIRequest, _ collection: String, _ method: HTTPMethod
    ) throws(ObjectStore.Refusal) -> JSONValue {
        let version = request.version ?? .v1
        let object = SliceShape.stored(request.object, from: version)
        switch (method, request.name) {
        case (.GET, let name?):
            return SliceShape.shown(try apply { (store) throws(ObjectStore.Refusal) in try store.get(collection, name) }, in: version)
        case (.GET, nil):
            let (items, newest) = state.withLock { ($0.store.list(collection), $0.store.version) }
            return .object([
                "metadata": .object(["resourceVersion": .string(String(newest))]),
                "items": .array(items.filter { Self.matches($0, request.fields) }.map { SliceShape.shown($0, in: version) }),
            ])
        case (.POST, nil):
            let stored = try apply(judged: true) { (store) throws(ObjectStore.Refusal) in try store.create(collection, object) }
            return SliceShape.shown(stored, in: version)
        case (.POST, let name?) where request.subresource == "eviction":
            let options = object["deleteOptions"]
            try apply { (store) throws(ObjectStore.Refusal) in try store.delete(collection, name, options) }
            return .object(["kind": .string("Status"), "status": .string("Success")])
        case (.PUT, let name?):
            let stored = try apply(judged: true) { (store) throws(ObjectStore.Refusal) in try store.replace(collection, name, object) }
            return SliceShape.shown(stored, in: version)
        case (.PATCH, let name?) where request.subresource == "status":
            guard let manager = request.query["fieldManager"] else {
                throw ObjectStore.Refusal(
                    code: 422, reason: "Invalid", message: "fieldManager: Required value: is required for apply patch")
            }
            if state.withLock({ $0.deniesStatus }) {
                throw ObjectStore.Refusal(
                    invalid: "ResourceClaim",
                    [("status.devices", "FieldValueForbidden", "changing status.devices requires resourceclaims/driver")])
            }
            return try apply(judged: true) { (store) throws(ObjectStore.Refusal) in
                try store.applyStatus(collection, name, object, manager: manager)
            }
        case (.DELETE, let name?):
            try apply(judged: true) { (store) throws(ObjectStore.Refusal) in try store.delete(collection, name, object) }
            return .object(["status": .string("Success")])
        default:
            throw ObjectStore.Refusal(code: 405, reason: "MethodNotAllowed", message: "\(method.rawValue) \(request.path)")
        }
    }

    private func watch(
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
            // As the real one: the request is well, and the first event is the error.
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

    private func refuse(_ refusal: ObjectStore.Refusal, _ channel: any Channel, retryAfter: Int? = nil) {
        var details: [String: JSONValue] = [:]
        if let object = refusal.object { details["name"] = .string(object) }
        if !refusal.causes.isEmpty { details["causes"] = .array(refusal.causes) }
        respond(
            refusal.code,
            .object([
                "kind": .string("Status"), "reason": .string(refusal.reason), "message": .string(refusal.message),
                "code": .integer(Int64(refusal.code)), "details": .object(details),
            ]), channel, retryAfter: retryAfter)
    }

    private func respond(_ code: Int, _ object: JSONValue, _ channel: any Channel, retryAfter: Int? = nil) {
        respond(code, object.text, channel, retryAfter: retryAfter)
    }

    private func respond(_ code: Int, _ data: [UInt8], _ channel: any Channel, retryAfter: Int? = nil) {
        state.withLock { $0.bytes += data.count }
        var headers: HTTPHeaders = ["Content-Type": "application/json", "Content-Length": String(data.count)]
        if let retryAfter { headers.add(name: "Retry-After", value: String(retryAfter)) }
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: code), headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: data))), promise: nil)
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
    }
}

/// Lets handlers find the server, which is complete only after they were set up.
private final class Router: Sendable {
    let server = Mutex<APIServer?>(nil)
}

/// Collects a request and hands it on.
private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let router: Router
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []

    init(_ router: Router) { self.router = router }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (self.head, body) = (head, [])
        case .body(let part): body += part.readableBytesView
        case .end:
            if let head { router.server.withLock { $0 }?.handle(head, body, context.channel) }
        }
    }
}
