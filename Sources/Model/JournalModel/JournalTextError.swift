// SPDX-License-Identifier: Apache-2.0

/// The reason why a text is not a valid file of the journal, or why a value cannot be encoded.
package struct JournalTextError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reason for the error.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// Too many bytes, or too deep nesting.
        case tooLarge, tooDeep
        case notJSON
        case missingKey, unknownKey, duplicateKey, keyOrder
        case wrongType, wrongValue
        /// A newer program may be able to read the file.
        case newerVersion, newerFeature
        /// `requires` differs from the list of features that the file uses.
        case wrongFeatures
        /// The UID in the file differs from the UID in the file's name.
        case otherUID
        case outOfBounds
    }

    package var code: Code
    /// The path in the file: `devices[0].interface.mtu`; empty for the file as a whole.
    package var path: String
    package var cause: String

    /// Truncates the texts, because they can contain parts of a hostile file.
    init(_ code: Code, _ path: String, _ cause: String) {
        self.code = code
        self.path = Self.cut(path, 256)
        self.cause = Self.cut(cause, 1200)
    }

    /// Converts the error of a decoder.
    init(_ error: any Error) {
        guard let error = error as? DecodingError else {
            self.init(.wrongValue, "", "\(error)")
            return
        }
        switch error {
        case .keyNotFound(let key, let context): self.init(.missingKey, Self.path(context.codingPath + [key]), "is missing")
        case .valueNotFound(_, let context): self.init(.wrongType, Self.path(context.codingPath), "is null")
        case .typeMismatch(let type, let context):
            self.init(.wrongType, Self.path(context.codingPath), "is not of type \(type)")
        case .dataCorrupted(let context):
            self.init(context.codingPath.isEmpty ? .notJSON : .wrongValue, Self.path(context.codingPath), context.debugDescription)
        @unknown default: self.init(.wrongValue, "", "\(error)")
        }
    }

    package var isNewer: Bool { code == .newerVersion || code == .newerFeature }

    package var description: String { path.isEmpty ? "it \(cause)" : "\(path) \(cause)" }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.reduce(into: "") { path, key in path += key.intValue.map { "[\($0)]" } ?? (path.isEmpty ? "" : ".") + key.stringValue }
    }

    private static func cut(_ text: String, _ limit: Int) -> String {
        text.utf8.count > limit ? String(decoding: text.utf8.prefix(limit), as: UTF8.self) + "..." : text
    }
}
