// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import NIOHTTP1
import ResourceAPI

/// A decoded request to the Testbed's API server.
struct APIRequest {
    var path: String
    var query: [String: String] = [:]
    /// `resourceslices`, `nodes`, or `resourceclaims/NAMESPACE`; nil for any other path.
    var collection: String?
    var name: String?
    /// Field selector, by path.
    var fields: [String: String] = [:]
    var object: JSONValue
    /// The version of resource.k8s.io in the path.
    var version: ResourceAPIVersion?
    /// `status` after the object's name.
    var subresource: String?

    var isWatch: Bool { query["watch"] == "true" }

    init(_ head: HTTPRequestHead, _ body: [UInt8]) {
        let parts = head.uri.split(separator: "?", maxSplits: 1)
        path = String(parts.first ?? "")
        for pair in parts.dropFirst().first?.split(separator: "&") ?? [] {
            let words = pair.split(separator: "=", maxSplits: 1)
            query[String(words[0])] = words.count > 1 ? Self.decode(words[1]) : ""
        }
        for pair in (query["fieldSelector"] ?? "").split(separator: ",") {
            let words = pair.split(separator: "=", maxSplits: 1)
            if words.count == 2 { fields[String(words[0])] = String(words[1]) }
        }
        object = (try? JSONValue(parsing: body)) ?? .null
        let words = path.split(separator: "/").map(String.init)
        switch words.count {
        case 4 where words.starts(with: ["api", "v1", "nodes"]): (collection, name) = ("nodes", words[3])
        case 5 where words.starts(with: ["api", "v1", "namespaces"]) && words[4] == "events": collection = "events/\(words[3])"
        case 6... where words.starts(with: ["api", "v1", "namespaces"]) && words[4] == "pods":
            (collection, name) = ("pods/\(words[3])", words[5])
            subresource = words.count > 6 ? words[6] : nil
        case 4... where words.starts(with: ["apis", "resource.k8s.io"]):
            version = ResourceAPIVersion(rawValue: words[2])
            if words[3] == "resourceslices" {
                (collection, name) = ("resourceslices", words.count > 4 ? words[4] : nil)
            } else if words[3] == "namespaces", words.count > 5 {
                (collection, name) = ("\(words[5])/\(words[4])", words.count > 6 ? words[6] : nil)
                subresource = words.count > 7 ? words[7] : nil
            }
        default: break
        }
    }

    private static func decode(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
