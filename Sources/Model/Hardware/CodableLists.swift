// SPDX-License-Identifier: Apache-2.0

/// Decodes and encodes lists of descriptions: an absent list is empty, and an empty list is omitted.
extension KeyedDecodingContainer {
    func list<Element: Decodable>(_ key: Key) throws -> [Element] {
        try decodeIfPresent([Element].self, forKey: key) ?? []
    }
}

extension KeyedEncodingContainer {
    mutating func encode(list: [some Encodable], forKey key: Key) throws {
        if !list.isEmpty { try encode(list, forKey: key) }
    }
}
