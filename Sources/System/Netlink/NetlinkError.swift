// SPDX-License-Identifier: Apache-2.0

package import Linux

/// A request the kernel refused, in full: what we wanted, its errno, and its own words.
package struct NetlinkError: Error, Hashable, CustomStringConvertible {
    package var operation: String
    package var code: Int32
    /// The extended acknowledgement; also says what was wrong with an answer.
    package var text: String?

    package init(_ operation: String, code: Int32, text: String? = nil) {
        self.operation = operation
        self.code = code
        self.text = text
    }

    package init(_ operation: String, _ error: SystemError) {
        self.init(operation, code: error.code, text: error.description)
    }

    package var description: String {
        "cannot \(operation): \(text.map { "\($0) (\(SystemError.text(of: code)))" } ?? SystemError.text(of: code))"
    }
}
