// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import ResourceAPI

/// A change that a watch reports.
package enum WatchEvent<Object: Codable & Sendable>: Sendable {
    case changed(Object)
    case deleted(Object)
    /// A resource version up to which there are no further changes.
    case bookmark(String)

    /// Decodes one line of a watch.
    init(_ bytes: Data, _ path: String) throws {
        switch try JSONDecoder().decode(Line.self, from: bytes) {
        case .event(let event): self = event
        case .failure(let failure):
            throw APIError(
                "WATCH", path, status: failure.code ?? 0, reason: failure.reason ?? "", message: failure.message ?? "")
        }
    }

    /// A line, decoded in one pass, because most of it is the object.
    private enum Line: Decodable {
        case event(WatchEvent)
        case failure(Failure)

        enum CodingKeys: String, CodingKey {
            case type, object
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            switch try values.decode(String.self, forKey: .type) {
            case "ADDED", "MODIFIED": self = .event(.changed(try values.decode(Object.self, forKey: .object)))
            case "DELETED": self = .event(.deleted(try values.decode(Object.self, forKey: .object)))
            case "BOOKMARK":
                self = .event(.bookmark(try values.decode(Bookmark.self, forKey: .object).metadata.resourceVersion ?? ""))
            default: self = .failure(try values.decode(Failure.self, forKey: .object))
            }
        }
    }
}

private struct Bookmark: Decodable {
    var metadata: Metadata
}

private struct Failure: Decodable {
    var code: Int?
    var reason: String?
    var message: String?
}
