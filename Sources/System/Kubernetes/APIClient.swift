// SPDX-License-Identifier: Apache-2.0

package import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import Primitives
package import ResourceAPI

/// A client of the Kubernetes API server with the few calls of a node driver.
///
/// It has no own throttle: it waits if the server requests a delay (429 with Retry-After), and retries failures with exponential,
/// jittered backoff, so that thousands of nodes that start at once do not retry at once. The HTTP client bounds the number of connections
/// (``APIEndpoint/configuration(limit:)``).
package struct APIClient: Sendable {
    private let endpoint: APIEndpoint
    private let http: HTTPClient
    private let observe: @Sendable (_ method: String, _ status: Int) -> Void
    private let attemptTimeout: Duration

    /// The default time-out of retries. Callers with their own retries log the failure.
    private static let timeout = Duration.seconds(5)
    /// The limit of an answer, far above any list of this driver's slices.
    package static let answerBytes = 64 << 20
    /// The limit of an answer with one object: a server accepts requests of at most 3 MiB, and etcd stores 1.5 MiB.
    package static let objectBytes = 4 << 20

    /// - Parameters:
    ///   - attemptTimeout: the time-out of one attempt.
    ///   - observe: called after each attempt; the status is 0 without an answer.
    package init(
        endpoint: APIEndpoint, http: HTTPClient, attemptTimeout: Duration = .seconds(10),
        observe: @escaping @Sendable (_ method: String, _ status: Int) -> Void = { _, _ in }
    ) {
        self.endpoint = endpoint
        self.http = http
        self.observe = observe
        self.attemptTimeout = attemptTimeout
    }

    // MARK: Calls

    /// Reads and decodes an object or a list.
    ///
    /// - Parameters:
    ///   - timeout: the time-out of retries.
    ///   - limit: the limit of the answer in bytes.
    package func get<Object: Decodable>(
        _ path: String, timeout: Duration? = nil, limit: Int = answerBytes
    ) async throws(APIError) -> Object {
        try decode(await send("GET", path, timeout: timeout, limit: limit), path)
    }

    /// Reads an object without decoding it.
    package func text(_ path: String, timeout: Duration? = nil, limit: Int) async throws(APIError) -> [UInt8] {
        try await send("GET", path, timeout: timeout, limit: limit)
    }

    /// Creates an object.
    ///
    /// - Returns: the object that the server stores.
    package func create<Object: Codable>(
        _ object: Object, _ path: String, as version: ResourceAPIVersion = .v1
    ) async throws(APIError) -> Object {
        try decode(await send("POST", path, body: try encode(object, path, version)), path)
    }

    /// Sends a request whose answer is a status.
    package func post(_ object: some Encodable, _ path: String) async throws(APIError) {
        _ = try await send("POST", path, body: try encode(object, path, .v1))
    }

    /// Replaces an object, in the resource version of its metadata.
    ///
    /// - Returns: the object that the server stores.
    package func replace<Object: Codable>(
        _ object: Object, _ path: String, as version: ResourceAPIVersion = .v1
    ) async throws(APIError) -> Object {
        try decode(await send("PUT", path, body: try encode(object, path, version)), path)
    }

    /// Server-side apply: the fields in `patch` become this manager's, and its other fields are removed. The answer is not decoded.
    package func apply(
        _ patch: some Encodable, _ path: String, manager: String, as version: ResourceAPIVersion = .v1
    ) async throws(APIError) {
        _ = try await send(
            "PATCH", "\(path)?fieldManager=\(manager)&force=true", body: try encode(patch, path, version),
            type: "application/apply-patch+yaml")
    }

    /// Deletes an object, in the UID and resource version of its metadata.
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

    /// Sends a request, with retries until the time-out. Throws the last error.
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
            let delay = error.retryAfter.map(Backoff.delay(asked:)) ?? Backoff.delay(attempt: attempt)
            // A delay beyond the time-out is left to the caller, as is a creation without an answer, because the object may exist.
            let isSafe = method != "POST" || error.status == 429
            guard error.isWorthRetrying, isSafe, ContinuousClock.now + delay < end, !Task.isCancelled else { throw error }
            do { try await Task.sleep(for: delay) } catch { throw APIError(.cancelled, method, path, "the program is stopping") }
        }
    }

    private func sendOnce(
        _ method: String, _ path: String, body: [UInt8]?, type: String, limit: Int
    ) async throws(APIError) -> [UInt8] {
        let response: HTTPClientResponse
        let content: ByteBuffer
        do {
            response = try await http.execute(
                try request(method, path, body: body, type: type), timeout: TimeAmount(attemptTimeout))
            content = try await collect(response.body, limit)
        } catch {
            observe(method, 0)
            if let error = error as? APIError { throw error }
            throw APIError(.unreachable, method, path, "\(endpoint.url): \(error)")
        }
        observe(method, Int(response.status.code))
        let bytes = Array(content.readableBytesView)
        guard (200..<300).contains(response.status.code) else { throw failure(method, path, response, bytes) }
        return bytes
    }

    /// Reads the whole body. The HTTP client's own deadline covers only the head of an answer.
    private func collect(_ body: HTTPClientResponse.Body, _ limit: Int) async throws -> ByteBuffer {
        try await withThrowingTaskGroup(of: ByteBuffer?.self) { group in
            group.addTask { try await body.collect(upTo: limit) }
            group.addTask { [attemptTimeout] in
                try await Task.sleep(for: attemptTimeout)
                return nil
            }
            defer { group.cancelAll() }
            guard let content = try await group.next() ?? nil else { throw HTTPClientError.deadlineExceeded }
            return content
        }
    }

    /// The error of an answer. Only Retry-After in seconds is supported; the form with a date comes from proxies.
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
        } catch { throw APIError(.unencodable, "encode for", path, "\(error)") }
    }

    private func decode<Object: Decodable>(_ bytes: [UInt8], _ path: String) throws(APIError) -> Object {
        do { return try JSONDecoder().decode(Object.self, from: Data(bytes)) } catch {
            throw APIError(.undecodable, "decode", path, "\(error)")
        }
    }

    // MARK: Watching

    /// Watches changes from a resource version on, until the server ends the stream or `body` throws.
    ///
    /// - Throws: ``APIError`` with status 410 if the version is too old: list again.
    package func watch<Object: Codable & Sendable>(
        _ type: Object.Type, _ path: String, from version: String,
        _ body: @Sendable (WatchEvent<Object>) async throws -> Void
    ) async throws {
        let joint = path.contains("?") ? "&" : "?"
        // Random, so that nodes do not renew their watches at the same moment. A dead connection is detected earlier: a server sends a
        // bookmark about every minute, and HTTPClient closes a connection after eleven silent minutes.
        let timeout = Int.random(in: 1800...3600)
        let full = path + "\(joint)watch=true&allowWatchBookmarks=true&resourceVersion=\(version)&timeoutSeconds=\(timeout)"
        // The server ends the watch; this deadline only ends a dead connection.
        let response = try await http.execute(
            try request("GET", full, body: nil), timeout: .seconds(Int64(timeout) + 30))
        observe("WATCH", Int(response.status.code))
        guard response.status == .ok else {
            let bytes = try await response.body.collect(upTo: 1 << 20)
            throw failure("WATCH", path, response, Array(bytes.readableBytesView))
        }
        var lines = WatchLines(path: path)
        for try await part in response.body {
            for line in try lines.receive(part) { try await body(try WatchEvent<Object>(line, path)) }
        }
    }
}

/// The lines of a watch, from chunks of any length.
private struct WatchLines {
    let path: String
    private var line: [UInt8] = []

    init(path: String) { self.path = path }

    /// The lines that end in a chunk, without empty ones.
    mutating func receive(_ part: ByteBuffer) throws(APIError) -> [Data] {
        var lines: [Data] = []
        var rest = part.readableBytesView[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            line += rest[..<end]
            rest = rest[(end + 1)...]
            if !line.isEmpty { lines.append(Data(line)) }
            line = []
        }
        line += rest
        guard line.count <= APIClient.answerBytes else {
            throw APIError(.tooLong, "WATCH", path, "an event has more than \(APIClient.answerBytes) bytes")
        }
        return lines
    }
}
