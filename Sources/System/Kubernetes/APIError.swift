// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// A call that failed, with the server's own message.
package struct APIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What of an object the server found wrong (meta/v1 StatusCause).
    package struct Cause: Hashable, Sendable, Codable {
        /// `FieldValueTooLong`, `FieldValueForbidden`, ...
        package var reason: String?
        package var message: String?
        /// `spec.devices[5].attributes[dra.nearside/mac]`
        package var field: String?
    }

    package var method: String
    package var path: String
    /// HTTP status; 0 when there was no answer.
    package var status: Int
    /// The server's reason in one word: `Conflict`, `NotFound`, `Invalid`, ...
    package var reason: String
    package var message: String
    package var causes: [Cause] = []
    package var retryAfter: Duration?
    /// The object that the server looked for; nil when it does not know the path at all.
    private var object: String?

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

    static func cancelled(_ method: String, _ path: String) -> APIError {
        APIError(method, path, status: 0, reason: "Cancelled", message: "this program is stopping")
    }

    package var isNotFound: Bool { status == 404 }
    /// The server knows no such path, as when it does not serve that version of a group.
    package var isUnknownPath: Bool { status == 404 && object == nil }
    package var isConflict: Bool { status == 409 }
    /// The objects may be other than the caller believes.
    package var leavesDoubt: Bool { isConflict || isNotFound || isWorthRetrying && status != 429 }
    package var isGone: Bool { status == 410 }
    package var isInvalid: Bool { status == 422 }
    /// Not allowed: 403, or since Kubernetes 1.36 for parts of a claim's status 422 with a cause that says so.
    package var isForbidden: Bool { status == 403 || isInvalid && causes.contains { $0.reason == "FieldValueForbidden" } }

    /// No answer, too many requests, or trouble on the server's side.
    package var isWorthRetrying: Bool { reason == "Unreachable" || status == 429 || status >= 500 }

    package var description: String {
        let answer = status == 0 ? reason : "\(status) \(reason)"
        let wayOut = isForbidden ? " (manifests/rbac.yaml has the rights that are needed)" : ""
        return "\(method) \(path): \(answer): \(message)\(wayOut)"
    }
}
