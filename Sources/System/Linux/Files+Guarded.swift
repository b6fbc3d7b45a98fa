// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

extension Files {
    /// Writes to a file that is there below a folder, in one go: a setting of the kernel. The path may leave the folder nowhere, and no
    /// part of it may be a link.
    ///
    /// - Throws: `SystemError` with EXDEV or ELOOP for such a path, ENOSYS before Linux 5.6.
    package static func overwrite(_ path: String, below folder: String, _ text: String) throws(SystemError) {
        let parent = try Descriptor.open(folder, flags: O_RDONLY | O_DIRECTORY)
        let file = Descriptor(owning: try checked("open", "\(folder)/\(path)") { CLinux_open_beneath(parent.raw, path) })
        do throws(SystemError) { try file.write(all: [UInt8](text.utf8)) } catch {
            throw SystemError("write \"\(text)\" to", "\(folder)/\(path)", code: error.code)
        }
    }

    /// Removes what ``replace(_:with:mode:isDurable:)`` left behind in programs that were killed.
    ///
    /// - Parameter seconds: the age from which on a temporary file is nobody's: another program may be writing its own.
    package static func removeLeftovers(in folder: String, olderThan seconds: Int = 60) {
        for name in list(folder) where name.hasPrefix(".") {
            // `.NAME.RANDOM`
            guard let dot = name.lastIndex(of: "."), dot != name.startIndex, UInt64(name[name.index(after: dot)...], radix: 16) != nil
            else {
                continue
            }
            var status = stat()
            guard lstat("\(folder)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG,
                time(nil) - status.st_mtim.tv_sec >= seconds
            else { continue }
            unlink("\(folder)/\(name)")
        }
    }
}
