// SPDX-License-Identifier: Apache-2.0

package import Linux

/// A request that the kernel refused, or an invalid answer.
package struct NetlinkError: Error, Hashable, CustomStringConvertible {
    /// The request as words with its object: "set address 10.0.0.1/24".
    package var step: String
    /// An errno value.
    package var code: Int32
    /// The extended acknowledgement, or the defect of the answer; nil if the errno value is sufficient.
    package var cause: String?

    package init(_ step: String, code: Int32, cause: String? = nil) {
        self.step = step
        self.code = code
        self.cause = cause
    }

    package init(_ step: String, _ error: SystemError) {
        self.init(step, code: error.code, cause: error.description)
    }

    package var description: String {
        let meaning = SystemError.text(of: code)
        return "cannot \(step): \(cause.map { "\($0) (\(meaning))" } ?? meaning)"
    }
}
