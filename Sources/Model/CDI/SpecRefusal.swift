// SPDX-License-Identifier: Apache-2.0

/// A plan whose containers get nothing, since something in it cannot be right.
package struct SpecRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// A name or value is not of the form that this driver's plans have.
        case malformed
        /// A device node is not the claimed device's.
        case foreignNode
        /// A workload file is missing, or is no plain file.
        case unusableFile
        /// The specification cannot be written.
        case unwritable
    }

    package var code: Code
    /// The field of the plan, or the device node.
    package var object: String
    package var cause: String

    package init(_ code: Code, _ object: String, _ cause: String) {
        self.code = code
        self.object = object
        self.cause = cause
    }

    package var description: String { "\(object): \(cause)" }
}
