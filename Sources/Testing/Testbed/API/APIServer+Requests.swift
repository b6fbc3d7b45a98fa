// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOCore
import NIOHTTP1
import ResourceAPI
import Synchronization

/// Handles requests over HTTP.
extension APIServer {
    func handle(_ head: HTTPRequestHead, _ body: [UInt8], _ channel: any Channel) {
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

    /// The served versions (meta/v1 APIGroup).
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
