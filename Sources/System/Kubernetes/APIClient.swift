// SPDX-License-Identifier: Apache-2.0

package import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
package import ResourceAPI

/// A client of the Kubernetes API server: the few calls a node driver makes.
///
/// It has no throttle of its own. The server says when it wants less (429 with Retry-After), and that
/// is heeded; failures are tried again with growing, jittered pauses, so that thousands of nodes that
/// start at once do not come back at once. How many connections there can be at a time is the HTTP client's
/// business (``APIEndpoint/configuration(limit:)``).
package struct APIClient: Sendable {
    private let endpoint: APIEndpoint
    private let http: HTTPClient
    private let observe: @Sendable (_ method: String, _ status: Int) -> Void
    private let attemptTimeout: TimeAmount

    /// For how long a call is tried again when its caller does not say: one that tries again itself says what is wrong, too.
    private static let timeout = Duration.seconds(5)
    /// An answer is refused beyond this: nothing that we ask for comes near it.
    package static let answerBytes = 64 << 20
    /// The same for one object: what a server takes is at most 3 MiB, and what etcd keeps 1.5 MiB.
    package static let objectBytes = 4 << 20

    /// - Parameters:
    ///   - attemptSeconds: how long one attempt may take.
    ///   - observe: hears of every attempt; the status is 0 when there was no answer.
    package init(
        endpoint: APIEndpoint, http: HTTPClient, attemptSeconds: Int = 10,
        observe: @escaping @Sendable (_ method: String, _ status: Int) -> Void = { _, _ in }
    ) {
        self.endpoint = endpoint
        self.http = http
        self.observe = observe
        attemptTimeout = .seconds(Int64(attemptSeconds))
    }

    // MARK: Calls

    /// - Parameter limit: of the answer, in bytes.
    package func get<Object: Decodable>(
        _ path: String, timeout: Duration? = nil, limit: Int = answerBytes
    ) async throws(APIError) -> Object {
        try decode(await send("GET", path, timeout: timeout, limit: limit), path)
    }

    /// The object as the server sent it, for readers of their own.
    package func text(_ path: String, timeout: Duration? = nil, limit: Int) async throws(APIError) -> [UInt8] {
        try await send("GET", path, timeout: timeout, limit: limit)
    }

    package func create<Object: Codable>(
        _ object: Object, _ path: String, as version: ResourceAPIVersion = .v1
    ) async throws(APIError) -> Object {
        try decode(await send("POST", path, body: try encode(object, path, version)), path)
    }

    /// Asks for something that is answered by a status.
    package func post(_ object: some Encodable, _ path: String) async throws(APIError) {
        _ = try await send("POST", path, body: try encode(object, path, .v1))
    }

    package func replace<Object: Codable>(
        _ object: Object, _ path: String, as version: ResourceAPIVersion = .v1
    ) async throws(APIError) -> Object {
        try decode(await send("PUT", path, body: try encode(object, path, version)), path)
    }

    /// Server-side apply: the fields in `patch` become this manager's, and those it had and are not in it go.
    /// The object that the server answers with is not looked at.
    package func apply(
        _ patch: some Encodable, _ path: String, manager: String, as version: ResourceAPIVersion = .v1
    ) async throws(APIError) {
        _ = try await send(
            "PATCH", "\(path)?fieldManager=\(manager)&force=true", body: try encode(patch, path, version),
            type: "application/apply-patch+yaml")
    }

    /// Deletes exactly that object in exactly that version.
    package func delete(_ path: String, _ metadata: Metadata) async throws(APIError) {
        struct Options: Encodable {
            var apiVersion = "v1"
            var kind = "DeleteOptions"
            var preconditions: Metadata
        }
        let only = Metadata(uid: metadata.uid, resourceVersion: metadata.resourceVersion)
        _ = try await send("DELETE", path, body: try encode(Options(preconditions: only), path, .v1))
    }

    // MARK: One request

    /// Sends a request, and again for as long as that makes sense and its caller has timeout. Throws what the server said last.
    private func send(
        _ method: String, _ path: String, body: [UInt8]? = nil, type: String = "application/json", timeout: Duration? = nil,
        limit: Int = answerBytes
    ) async throws(APIError) -> [UInt8] {
        let end = ContinuousClock.now + (timeout ?? Self.timeout)
        var attempt = 0
        while true {
            attempt += 1
            let error: APIError
            do throws(APIError) {
                return try await sendOnce(method, path, body: body, type: type, limit: limit)
            } catch let failure { error = failure }
            let pause = error.retryAfter.map(Backoff.pause(asked:)) ?? Backoff.pause(attempt: attempt)
            // Whoever called knows better what to do with a pause that is longer than it can wait.
            // What was to be made may have been, though the answer did not come: that is the caller's to find out.
            let isSafe = method != "POST" || error.status == 429
            guard error.isWorthRetrying, isSafe, ContinuousClock.now + pause < end, !Task.isCancelled else { throw error }
            do { try await Task.sleep(for: pause) } catch { throw .cancelled(method, path) }
        }
    }

    private func sendOnce(
        _ method: String, _ path: String, body: [UInt8]?, type: String, limit: Int
    ) async throws(APIError) -> [UInt8] {
        let response: HTTPClientResponse
        let content: ByteBuffer
        do {
            response = try await http.execute(
                try request(method, path, body: body, type: type), timeout: attemptTimeout)
            content = try await collect(response.body, limit)
        } catch {
            observe(method, 0)
            if let error = error as? APIError { throw error }
            throw APIError(method, path, status: 0, reason: "Unreachable", message: "\(endpoint.url): \(error)")
        }
        observe(method, Int(response.status.code))
        let bytes = Array(content.readableBytesView)
        guard (200..<300).contains(response.status.code) else { throw failure(method, path, response, bytes) }
        return bytes
    }

    /// The whole body. The client's own deadline ends with the head of an answer.
    private func collect(_ body: HTTPClientResponse.Body, _ limit: Int) async throws -> ByteBuffer {
        try await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
            group.addTask { try await body.collect(upTo: limit) }
            group.addTask { [attemptTimeout] in
                try await Task.sleep(for: .nanoseconds(attemptTimeout.nanoseconds))
                return nil
            }
            defer { group.cancelAll() }
            guard let content = try await group.next() ?? nil else { throw HTTPClientError.deadlineExceeded }
            return content
        }
    }

    /// Retry-After is in seconds here; the form with a date is a proxy's, and passed over.
    private func failure(_ method: String, _ path: String, _ response: HTTPClientResponse, _ body: [UInt8]) -> APIError {
        let seconds = response.headers.first(name: "Retry-After").flatMap { Int($0) }
        return APIError(
            method, path, status: Int(response.status.code), body: body,
            retryAfter: seconds.flatMap { (1...86_400).contains($0) ? .seconds($0) : nil })
    }

    private func request(
        _ method: String, _ path: String, body: [UInt8]?, type: String = "application/json"
    ) throws(APIError) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: endpoint.url + path)
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "nearside")
        if let token = try endpoint.bearerToken() {
            request.headers.add(name: "Authorization", value: "Bearer \(token)")
        }
        if let body {
            request.headers.add(name: "Content-Type", value: type)
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        return request
    }

    private func encode(_ object: some Encodable, _ path: String, _ version: ResourceAPIVersion) throws(APIError) -> [UInt8] {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes]
            if let key = CodingUserInfoKey.resourceAPIVersion { encoder.userInfo[key] = version }
            return [UInt8](try encoder.encode(object))
        } catch { throw APIError("encode for", path, status: 0, reason: "Unencodable", message: "\(error)") }
    }

    private func decode<Object: Decodable>(_ bytes: [UInt8], _ path: String) throws(APIError) -> Object {
        do { return try JSONDecoder().decode(Object.self, from: Data(bytes)) } catch {
            throw APIError("decode", path, status: 0, reason: "Undecodable", message: "\(error)")
        }
    }

    // MARK: Watching

    /// Follows changes from a resource version on, until the server ends the stream or `body` throws.
    ///
    /// - Throws: ``APIError`` with status 410 when the version is too old: list anew.
    package func watch<Object: Codable & Sendable>(
        _ type: Object.Type, _ path: String, from version: String,
        _ body: @Sendable (WatchEvent<Object>) async throws -> Void
    ) async throws {
        let joint = path.contains("?") ? "&" : "?"
        // Not all nodes at one moment. A connection that died silently is noticed earlier: a server sends a bookmark every
        // minute or so, and HTTPClient gives up one that says nothing for eleven.
        let timeout = Int.random(in: 1800...3600)
        let full = path + "\(joint)watch=true&allowWatchBookmarks=true&resourceVersion=\(version)&timeoutSeconds=\(timeout)"
        // The deadline is the server's; ours only ends a connection that died silently.
        let response = try await http.execute(
            try request("GET", full, body: nil), timeout: .seconds(Int64(timeout) + 30))
        observe("WATCH", Int(response.status.code))
        guard response.status == .ok else {
            let bytes = try await response.body.collect(upTo: 1 << 20)
            throw failure("WATCH", path, response, Array(bytes.readableBytesView))
        }
        var line: [UInt8] = []
        for try await part in response.body {
            var rest = part.readableBytesView[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line += rest[..<end]
                rest = rest[(end + 1)...]
                if !line.isEmpty { try await body(try WatchEvent<Object>(Data(line), path)) }
                line = []
            }
            line += rest
            guard line.count <= Self.answerBytes else {
                throw APIError("WATCH", path, status: 0, reason: "TooLong", message: "an event of more than \(Self.answerBytes) bytes")
            }
        }
    }
}
