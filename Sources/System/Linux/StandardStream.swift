// SPDX-License-Identifier: Apache-2.0

import Glibc

/// One of the three streams of this process, which stay open.
package enum StandardStream: Int32, Sendable {
    case input, output, error

    /// Writes text. A failure has no consequence: there is no other place to report it.
    package func write(_ text: String) { try? Descriptor.duplicate(rawValue).write(all: [UInt8](text.utf8)) }

    /// Reads to the end.
    ///
    /// - Throws: ``SystemError`` with EFBIG for more than `limit` bytes.
    package func readToEnd(limit: Int) throws(SystemError) -> [UInt8] { try Descriptor.duplicate(rawValue).readToEnd(limit: limit) }
}

/// The environment of this process (environ(7)), which nothing changes.
package enum Environment {
    /// Returns the value of a variable; nil if it is not set.
    package static func value(_ name: String) -> String? {
        // SAFETY: the text is copied at once, and no thread changes the environment.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
