// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// A failed call of the API server.
package struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A field of an object that the server refuses (meta/v1 StatusCause).
    package struct Cause: Hashable, Sendable, Codable {
        /// `FieldValueTooLong`, `FieldValueForbidden`, ...
        package var reason: String?
        package var message: String?
        /// `spec.devices[5].attributes[dra.nearside/mac]`
        package var field: String?
    }

    /// The kind of the error, for programs.
    package enum Code: String, Hashable, Sendable {
        /// The server answered with an error; ``status`` and ``reason`` have the details.
        case answered = "Answered"
        /// There was no answer.
        case unreachable = "Unreachable"
        /// This program is stopping.
        case cancelled = "Cancelled"
        /// The answer does not have the API's form.
        case undecodable = "Undecodable"
        /// The object cannot be sent.
        case unencodable = "Unencodable"
        /// An event of a watch exceeds the limit of objects.
        case tooLong = "TooLong"
        /// The bearer token cannot be read.
        case noToken = "NoToken"
    }

    package var code: Code
    /// The step: an HTTP method, `WATCH`, or the processing of an answer.
    package var method: String
    /// The object: a path of the API.
    package var path: String
    /// HTTP status; 0 without an answer.
    package var status: Int
    /// The server's reason in one word: `Conflict`, `NotFound`, `Invalid`, ...
    package var reason: String
    /// The cause; the server's message if it answered.
    package var message: String
    package var causes: [Cause] = []
    package var retryAfter: Duration?
    /// The object that the server did not find; nil if the server does not know the path.
    private var object: String?

    /// An error of the client.
    init(_ code: Code, _ method: String, _ path: String, _ message: String) {
        self.init(method, path, status: 0, reason: code.rawValue, message: message)
        self.code = code
    }

    /// An error of the server.
    init(_ method: String, _ path: String, status: Int, reason: String, message: String, retryAfter: Duration? = nil) {
        code = .answered
        self.method = method
        self.path = path
        self.status = status
        self.reason = reason
        self.message = message
        self.retryAfter = retryAfter
    }

    /// An error from the body of an answer: a meta/v1 Status, or the text of a proxy.
    init(_ method: String, _ path: String, status: Int, body: [UInt8], retryAfter: Duration? = nil) {
        struct Status: Decodable {
            struct Details: Decodable {
                var name: String?
                var causes: [Cause]?
                var retryAfterSeconds: Int?
            }
            var reason: String?
            var message: String?
            var details: Details?
        }
        let decoded = try? JSONDecoder().decode(Status.self, from: Data(body))
        self.init(
            method, path, status: status, reason: decoded?.reason ?? "",
            message: decoded?.message ?? String(decoding: body.prefix(200), as: UTF8.self),
            retryAfter: retryAfter ?? decoded?.details?.retryAfterSeconds.flatMap { $0 > 0 ? .seconds($0) : nil })
        causes = decoded?.details?.causes ?? []
        object = decoded?.details?.name
    }

    /// True if the object or the path does not exist.
    package var isNotFound: Bool { status == 404 }
    /// True if the server does not know the path, for example because it does not serve this version of a group.
    package var isUnknownPath: Bool { status == 404 && object == nil }
    /// True if the object has changed, or exists already.
    package var isConflict: Bool { status == 409 }
    /// True if the server's objects may differ from what the caller knows.
    package var leavesDoubt: Bool { isConflict || isNotFound || isWorthRetrying && status != 429 }
    /// True if the resource version is too old for a watch.
    package var isGone: Bool { status == 410 }
    /// True if the server refuses the object as invalid.
    package var isInvalid: Bool { status == 422 }
    /// True if the request is not allowed: 403, or since Kubernetes 1.36 for parts of a claim's status 422 with such a cause.
    package var isForbidden: Bool { status == 403 || isInvalid && causes.contains { $0.reason == "FieldValueForbidden" } }

    /// True if there was no answer, too many requests, or a failure of the server.
    package var isWorthRetrying: Bool { code == .unreachable || status == 429 || status >= 500 }

    package var description: String {
        let answer = status == 0 ? reason : "\(status) \(reason)"
        let advice = isForbidden ? "; manifests/rbac.yaml has the required rights" : ""
        return "\(method) \(path): \(answer): \(message)\(advice)"
    }
}
