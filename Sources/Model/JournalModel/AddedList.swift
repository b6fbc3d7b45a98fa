// SPDX-License-Identifier: Apache-2.0

/// A list that was added to version 1 after its first release, so that files of version 1 can lack it. An absent list is empty.
///
/// From version 2 on ``JournalDocument`` refuses a file without the list.
@propertyWrapper
package struct AddedList<Element: Codable & Hashable & Sendable>: Hashable, Sendable, Codable {
    package var wrappedValue: [Element]

    package init(wrappedValue: [Element]) { self.wrappedValue = wrappedValue }

    package init(from decoder: any Decoder) throws { wrappedValue = try [Element](from: decoder) }

    package func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension KeyedDecodingContainer {
    /// Decodes the fields that are marked as an ``AddedList``.
    func decode<Element>(_ type: AddedList<Element>.Type, forKey key: Key) throws -> AddedList<Element> {
        try decodeIfPresent(type, forKey: key) ?? AddedList(wrappedValue: [])
    }
}
