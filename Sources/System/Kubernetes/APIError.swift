// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// A call of the API server that failed.
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
        /// The server answered with an error: ``status`` and ``reason`` say which.
        case answered = "Answered"
        /// There was no answer.
        case unreachable = "Unreachable"
        /// This program is stopping.
        case cancelled = "Cancelled"
        /// The answer has another form than the API's.
        case undecodable = "Undecodable"
        /// The object cannot be sent.
        case unencodable = "Unencodable"
        /// An event of a watch is longer than any object.
        case tooLong = "TooLong"
        /// The bearer token cannot be read.
        case noToken = "NoToken"
    }

    package var code: Code
    /// The step: an HTTP method, `WATCH`, or what is done with an answer.
    package var method: String
    /// The object: a path of the API.
    package var path: String
    /// HTTP status; 0 when there was no answer.
    package var status: Int
    /// The server's reason in one word: `Conflict`, `NotFound`, `Invalid`, ...
    package var reason: String
    /// The cause, in the server's words if it answered.
    package var message: String
    package var causes: [Cause] = []
    package var retryAfter: Duration?
    /// The object that the server looked for; nil when it does not know the path.
    private var object: String?

    /// An error of this side.
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

    /// An error from the body of an answer: a meta/v1 Status, or the text of a proxy in between.
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

    /// There is no such object, or no such path.
    package var isNotFound: Bool { status == 404 }
    /// The server knows no such path, as when it does not serve that version of a group.
    package var isUnknownPath: Bool { status == 404 && object == nil }
    /// The object has changed, or exists already.
    package var isConflict: Bool { status == 409 }
    /// The server may have other objects than the caller knows.
    package var leavesDoubt: Bool { isConflict || isNotFound || isWorthRetrying && status != 429 }
    /// The resource version is too old to be watched from.
    package var isGone: Bool { status == 410 }
    /// The server refuses the object.
    package var isInvalid: Bool { status == 422 }
    /// Not allowed: 403, or since Kubernetes 1.36 for parts of a claim's status 422 with a cause that says so.
    package var isForbidden: Bool { status == 403 || isInvalid && causes.contains { $0.reason == "FieldValueForbidden" } }

    /// There was no answer, there were too many requests, or the server failed.
    package var isWorthRetrying: Bool { code == .unreachable || status == 429 || status >= 500 }

    package var description: String {
        let answer = status == 0 ? reason : "\(status) \(reason)"
        let advice = isForbidden ? "; manifests/rbac.yaml has the rights that are needed" : ""
        return "\(method) \(path): \(answer): \(message)\(advice)"
    }
}
