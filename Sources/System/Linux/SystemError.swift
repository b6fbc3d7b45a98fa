// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Primitives

/// A system call that failed.
package struct SystemError: Error, Hashable, CustomStringConvertible {
    /// The number of the error (errno(3)).
    package var code: Int32
    /// The path, descriptor or process of the call.
    package var object: String
    /// The step that failed, as a verb and its object: `open`, `set the flags`.
    package var step: String

    package init(_ step: String, _ object: String, code: Int32 = Glibc.errno) {
        self.code = code
        self.object = object
        self.step = step
    }

    package var description: String { "\(object): \(step): \(cause)" }

    /// The error's text in English (strerror(3)).
    package var cause: String { Self.text(of: code) }

    /// Returns the C library's text for an errno.
    package static func text(of code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        return String(zeroTerminated: buffer)
    }

    package var isNotFound: Bool { code == ENOENT }
    /// True if no program listens at the address.
    package var isRefused: Bool { code == ECONNREFUSED }
}

/// Repeats a system call while signals interrupt it.
///
/// - Throws: ``SystemError`` with the errno of a call that returned -1 for another reason.
@discardableResult
package func checked<Value: BinaryInteger>(
    _ step: String, _ object: @autoclosure () -> String, _ call: () -> Value
) throws(SystemError) -> Value {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = Glibc.errno
        if code != EINTR { throw SystemError(step, object(), code: code) }
    }
}
