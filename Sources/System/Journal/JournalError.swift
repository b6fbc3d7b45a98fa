// SPDX-License-Identifier: Apache-2.0

package import JournalModel

/// A file of the journal that cannot be read or written.
package struct JournalError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reason for the failure.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// A call of the kernel failed.
        case systemError
        /// The text differs from the format of this program's version.
        case damaged
        /// A newer program wrote the file, which stays in its place.
        case newer
        /// The value would make a file that cannot be read.
        case invalidValue
        /// Only the other daemon writes files of this kind.
        case otherWriter
        case invalidUID
        /// The folder belongs to another driver.
        case otherDriver
        /// All plans together exceed the limit in bytes.
        case noRoom
    }

    /// The step that failed.
    package enum Step: String, Hashable, Sendable { case lock, read, decode, encode, write, remove }

    package var code: Code
    /// The path of the file or folder.
    package var object: String
    package var step: Step
    package var cause: String
    /// The code of the text's error, for ``Code/damaged``, ``Code/newer`` and ``Code/invalidValue``.
    package var text: JournalTextError.Code?
    /// The remedy for an operator, or the path of the damaged file.
    package var remedy: String?

    init(_ code: Code, _ object: String, _ step: Step, _ cause: String, text: JournalTextError.Code? = nil, remedy: String? = nil) {
        self.code = code
        self.object = object
        self.step = step
        self.cause = cause
        self.text = text
        self.remedy = remedy
    }

    package var description: String { "\(object): \(step.rawValue): \(cause)" + (remedy.map { "; \($0)" } ?? "") }
}
