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
/// start at once do not come back at once.
package struct APIClient: Sendable {
    private let endpoint: APIEndpoint
    private let http: HTTPClient

    /// How long one attempt may take.
    private static let attemptTimeout = TimeAmount.seconds(10)
    private static let attempts = 5

    package init(endpoint: APIEndpoint, http: HTTPClient) {
        self.endpoint = endpoint
        self.http = http
    }

    // MARK: Calls

    package func get<Object: Decodable>(_ path: String) async throws(APIError) -> Object {
        try decode(await send("GET", path), path)
    }

    package func create<Object: Codable>(_ object: Object, _ path: String) async throws(APIError) -> Object {
        try decode(await send("POST", path, body: try encode(object, path)), path)
    }

    package func replace<Object: Codable>(_ object: Object, _ path: String) async throws(APIError) -> Object {
        try decode(await send("PUT", path, body: try encode(object, path)), path)
    }

    /// Deletes exactly that object in exactly that version.
    package func delete(_ path: String, _ metadata: Metadata) async throws(APIError) {
        struct Options: Encodable {
            var apiVersion = "v1"
            var kind = "DeleteOptions"
            var preconditions: Metadata
        }
        let only = Metadata(uid: metadata.uid, resourceVersion: metadata.resourceVersion)
        _ = try await send("DELETE", path, body: try encode(Options(preconditions: only), path))
    }

    // MARK: One request

    /// Sends a request, again while that makes sense. Throws what the server said last.
    private func send(
        _ method: String, _ path: String, body: [UInt8]? = nil
    ) async throws(APIError) -> [UInt8] {
        var attempt = 0
        while true {
            attempt += 1
            let error: APIError
            do throws(APIError) {
                return try await sendOnce(method, path, body: body)
            } catch let failure { error = failure }
            guard error.isWorthRetrying, attempt < Self.attempts, !Task.isCancelled else { throw error }
            let pause = error.retryAfter ?? Backoff.pause(attempt: attempt)
            do { try await Task.sleep(for: pause) } catch { throw .cancelled(method, path) }
        }
    }

    private func sendOnce(
        _ method: String, _ path: String, body: [UInt8]?
    ) async throws(APIError) -> [UInt8] {
        let response: HTTPClientResponse
        let content: ByteBuffer
        do {
            response = try await http.execute(
                try request(method, path, body: body), timeout: Self.attemptTimeout)
            content = try await response.body.collect(upTo: 64 << 20)
        } catch {
            throw APIError(method, path, status: 0, reason: "Unreachable", message: "\(endpoint.url): \(error)")
        }
        let bytes = Array(content.readableBytesView)
        guard (200..<300).contains(response.status.code) else {
            throw APIError(
                method, path, status: Int(response.status.code), body: bytes,
                retryAfter: response.headers.first(name: "Retry-After").flatMap { Int($0) })
        }
        return bytes
    }

    private func request(
        _ method: String, _ path: String, body: [UInt8]?
    ) throws(APIError) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: endpoint.url + path)
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "Accept", value: "application/json")
        request.headers.add(name: "User-Agent", value: "nearside")
        if let token = try endpoint.token() {
            request.headers.add(name: "Authorization", value: "Bearer \(token)")
        }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        return request
    }

    private func encode(_ object: some Encodable, _ path: String) throws(APIError) -> [UInt8] {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes]
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
        let timeout = Int.random(in: 300...600)
        let full = path + "\(joint)watch=true&allowWatchBookmarks=true&resourceVersion=\(version)&timeoutSeconds=\(timeout)"
        // The deadline is the server's; ours only ends a connection that died silently.
        let response = try await http.execute(
            try request("GET", full, body: nil), timeout: .seconds(Int64(timeout) + 30))
        guard response.status == .ok else {
            let bytes = try await response.body.collect(upTo: 1 << 20)
            throw APIError("WATCH", path, status: Int(response.status.code), body: Array(bytes.readableBytesView))
        }
        var line: [UInt8] = []
        for try await part in response.body {
            line += part.readableBytesView
            while let end = line.firstIndex(of: UInt8(ascii: "\n")) {
                let bytes = Data(line[..<end])
                line.removeSubrange(...end)
                if !bytes.isEmpty { try await body(try WatchEvent<Object>(bytes, path)) }
            }
        }
    }
}

/// Pauses between attempts: exponential, with full jitter above a floor.
package enum Backoff {
    package static func pause(attempt: Int, longest: Duration = .seconds(30)) -> Duration {
        let ceiling = min(Duration.milliseconds(100 * (1 << min(attempt, 16))), longest)
        return .milliseconds(50) + ceiling * Double.random(in: 0...1)
    }
}
