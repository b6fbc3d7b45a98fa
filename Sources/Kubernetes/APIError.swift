// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import ResourceAPI

/// A call that failed, with the server's own message.
package struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
    package var method: String
    package var path: String
    /// HTTP status; 0 when there was no answer.
    package var status: Int
    /// The server's reason in one word: `Conflict`, `NotFound`, `Invalid`, ...
    package var reason: String
    package var message: String
    package var retryAfter: Duration?

    package init(
        _ method: String, _ path: String, status: Int, reason: String, message: String, retryAfter: Duration? = nil
    ) {
        self.method = method
        self.path = path
        self.status = status
        self.reason = reason
        self.message = message
        self.retryAfter = retryAfter
    }

    /// From the body of an answer: a meta/v1 Status, or whatever a proxy in between said.
    init(_ method: String, _ path: String, status: Int, body: [UInt8], retryAfter: Int? = nil) {
        struct Status: Decodable {
            var reason: String?
            var message: String?
        }
        let decoded = try? JSONDecoder().decode(Status.self, from: Data(body))
        self.init(
            method, path, status: status, reason: decoded?.reason ?? "",
            message: decoded?.message ?? String(decoding: body.prefix(200), as: UTF8.self),
            retryAfter: retryAfter.map { .seconds($0) })
    }

    static func cancelled(_ method: String, _ path: String) -> APIError {
        APIError(method, path, status: 0, reason: "Cancelled", message: "this program is stopping")
    }

    package var isNotFound: Bool { status == 404 }
    package var isConflict: Bool { status == 409 }
    package var isGone: Bool { status == 410 }
    package var isInvalid: Bool { status == 422 }

    /// No answer, too many requests, or trouble on the server's side.
    var isWorthRetrying: Bool { reason == "Unreachable" || status == 429 || status >= 500 }

    package var description: String {
        let answer = status == 0 ? reason : "\(status) \(reason)"
        return "\(method) \(path): \(answer): \(message)"
    }
}

/// A change that a watch reports.
package enum WatchEvent<Object: Codable & Sendable>: Sendable {
    case changed(Object)
    case deleted(Object)
    /// Nothing changed up to this resource version.
    case bookmark(String)

    init(_ bytes: Data, _ path: String) throws {
        let decoder = JSONDecoder()
        switch try decoder.decode(Envelope.self, from: bytes).type {
        case "ADDED", "MODIFIED": self = .changed(try decoder.decode(Whole<Object>.self, from: bytes).object)
        case "DELETED": self = .deleted(try decoder.decode(Whole<Object>.self, from: bytes).object)
        case "BOOKMARK":
            let object = try decoder.decode(Whole<Bookmark>.self, from: bytes).object
            self = .bookmark(object.metadata.resourceVersion ?? "")
        default:
            let failure = try decoder.decode(Whole<Failure>.self, from: bytes).object
            throw APIError(
                "WATCH", path, status: failure.code ?? 0, reason: failure.reason ?? "", message: failure.message ?? "")
        }
    }
}

// The parts of a watch event.

private struct Envelope: Decodable {
    var type: String
}

private struct Whole<Content: Decodable>: Decodable {
    var object: Content
}

private struct Bookmark: Decodable {
    var metadata: Metadata
}

private struct Failure: Decodable {
    var code: Int?
    var reason: String?
    var message: String?
}
