// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A system call that failed: what was tried, on what, and why not.
package struct SystemError: Error, Hashable, CustomStringConvertible {
    package var operation: String
    package var subject: String
    package var code: Int32

    package init(_ operation: String, _ subject: String, code: Int32 = Glibc.errno) {
        self.operation = operation
        self.subject = subject
        self.code = code
    }

    package var description: String {
        "cannot \(operation) \(subject): \(Self.text(of: code))"
    }

    package static func text(of code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    package var isNotFound: Bool { code == ENOENT }
    /// Nobody listens there.
    package var isRefused: Bool { code == ECONNREFUSED }
}

/// Calls again as long as a signal interrupts; throws what is left.
@discardableResult
package func checked<Value: BinaryInteger>(
    _ operation: String, _ subject: @autoclosure () -> String, _ call: () -> Value
) throws(SystemError) -> Value {
    while true {
        let result = call()
        if result != -1 { return result }
        let code = Glibc.errno
        if code != EINTR { throw SystemError(operation, subject(), code: code) }
    }
}
