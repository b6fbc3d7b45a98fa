// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

extension Files {
    /// Writes to an existing file below a folder with one call, for a setting of the kernel. The path must not leave the folder, and must
    /// not contain a symbolic link.
    ///
    /// - Throws: `SystemError` with EXDEV or ELOOP for such a path, ENOSYS before Linux 5.6.
    package static func overwrite(_ path: String, below folder: String, _ text: String) throws(SystemError) {
        let parent = try Descriptor.open(folder, flags: O_RDONLY | O_DIRECTORY)
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        let file = Descriptor(owning: try checked("open", "\(folder)/\(path)") { unsafe CLinux_open_beneath(parent.raw, path) })
        do throws(SystemError) { try file.write(all: [UInt8](text.utf8)) } catch {
            throw SystemError("write \"\(text)\"", "\(folder)/\(path)", code: error.code)
        }
    }

    /// Removes temporary files of ``replace(_:with:mode:isDurable:)`` that killed programs left behind.
    ///
    /// - Parameter age: the minimum age of removed files, because another program may be writing a younger one.
    package static func removeLeftovers(in folder: String, olderThan age: Duration = .seconds(60)) {
        for name in list(folder) where name.hasPrefix(".") {
            // `.NAME.RANDOM`
            guard let dot = name.lastIndex(of: "."), dot != name.startIndex, UInt64(name[name.index(after: dot)...], radix: 16) != nil
            else {
                continue
            }
            guard let status = try? status("\(folder)/\(name)", followsLink: false), status.st_mode & S_IFMT == S_IFREG,
                time(nil) - status.st_mtim.tv_sec >= Int(age.components.seconds)
            else { continue }
            unsafe unlink("\(folder)/\(name)")
        }
    }
}
