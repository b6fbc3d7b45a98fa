// SPDX-License-Identifier: Apache-2.0

/// A list of a description: an absent list is empty, and an empty list is omitted.
@propertyWrapper
package struct SparseList<Element: Codable & Hashable & Sendable>: Hashable, Sendable, Codable {
    package var wrappedValue: [Element]

    package init(wrappedValue: [Element]) { self.wrappedValue = wrappedValue }
}

extension KeyedDecodingContainer {
    func list<Element: Decodable>(_ key: Key) throws -> [Element] {
        try decodeIfPresent([Element].self, forKey: key) ?? []
    }

    /// Decodes the fields that are marked as a ``SparseList``.
    func decode<Element>(_ type: SparseList<Element>.Type, forKey key: Key) throws -> SparseList<Element> {
        SparseList(wrappedValue: try list(key))
    }
}

extension KeyedEncodingContainer {
    mutating func encode(list: [some Encodable], forKey key: Key) throws {
        if !list.isEmpty { try encode(list, forKey: key) }
    }

    /// Encodes the fields that are marked as a ``SparseList``.
    mutating func encode<Element>(_ list: SparseList<Element>, forKey key: Key) throws { try encode(list: list.wrappedValue, forKey: key) }
}
