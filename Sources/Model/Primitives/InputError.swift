// SPDX-License-Identifier: Apache-2.0

/// An unusable input: the value of an option, a file, a document, a library, or a request of a user.
package struct InputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of the error.
    package enum Code: String, Hashable, Sendable {
        /// The input cannot be read.
        case unreadable
        /// The input does not have the required form.
        case malformed
        /// A name is unknown.
        case unknown
        /// A required part is missing.
        case missing
        /// A name, an address or a key occurs twice.
        case duplicate
        /// A number, a size or a length is out of its bounds.
        case outOfBounds
        /// The input is valid, but this program or the machine does not support it.
        case unsupported
    }

    package var code: Code
    /// The input or a part of it: a path, or a value in quotation marks.
    package var object: String
    /// The step that failed, or the place in the input: `line 3`, `roles.fabric`; nil for the whole input.
    package var step: String?
    package var cause: String
    /// Remedy, such as the valid values; nil if it follows from the cause.
    package var advice: String?

    package init(_ code: Code, _ object: String, at step: String? = nil, _ cause: String, advice: String? = nil) {
        self.code = code
        self.object = object
        self.step = step
        self.cause = cause
        self.advice = advice
    }

    /// The error of a decoder, with the path of the value as its step: `functions[3].address`.
    package init(decoding object: String, _ error: any Error, advice: String? = nil) {
        func path(_ keys: [any CodingKey]) -> String? {
            guard !keys.isEmpty else { return nil }
            return keys.reduce(into: "") { path, key in
                path += key.intValue.map { "[\($0)]" } ?? (path.isEmpty ? "" : ".") + key.stringValue
            }
        }
        self.init(.malformed, object, "not JSON", advice: advice)
        switch error as? DecodingError {
        case .keyNotFound(let key, let context)?: (code, step, cause) = (.missing, path(context.codingPath + [key]), "is missing")
        case .typeMismatch(let type, let context)?: (step, cause) = (path(context.codingPath), "is not of type \(type)")
        case .valueNotFound(let type, let context)?: (step, cause) = (path(context.codingPath), "is null, not a \(type)")
        case .dataCorrupted(let context)? where !context.codingPath.isEmpty:
            (step, cause) = (path(context.codingPath), context.debugDescription)
        default: break
        }
    }

    /// Returns the same error as an error of the surrounding input.
    package func within(_ object: String, at step: String? = nil) -> InputError { InputError(code, object, at: step, description) }

    package var description: String {
        [object, step, cause].compactMap { $0 }.joined(separator: ": ") + (advice.map { "; \($0)" } ?? "")
    }
}
