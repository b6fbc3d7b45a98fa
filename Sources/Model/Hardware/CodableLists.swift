// SPDX-License-Identifier: Apache-2.0

/// Lists of a description: absent stands for empty, and empty is written as absent.
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
