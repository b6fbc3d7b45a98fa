// SPDX-License-Identifier: Apache-2.0

/// The refusal of a plan: no container gets any of its devices. Each code names the rule that the plan violates.
package struct SpecRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reason for a refusal.
    package enum Code: String, Sendable {
        /// A name or value does not have the form of this driver's plans.
        case malformed
        /// A device node does not belong to the claimed device.
        case foreignNode
        /// A workload file is missing, or is not a regular file.
        case unusableFile
        /// The specification could not be written.
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
