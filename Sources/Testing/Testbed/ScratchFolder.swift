// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Linux

/// A new folder with a short path, for sockets. It is removed with this object.
package final class ScratchFolder: Sendable {
    package let path: String

    package init(_ purpose: String = "ns", in folder: String = "/tmp") throws(SystemError) {
        var template = Array("\(folder)/\(purpose)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("make", "a scratch folder") }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    deinit { Self.removeTree(path) }

    package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    package static func removeTree(_ path: String) {
        if Files.linkTarget(path) == nil {
            for name in Files.list(path) { removeTree("\(path)/\(name)") }
        }
        if unlink(path) != 0 { rmdir(path) }
    }
}
