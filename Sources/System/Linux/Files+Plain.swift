// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

extension Files {
    /// Reads a file in a folder that another program writes. Neither may be a symbolic link, and the file must be a regular file.
    ///
    /// - Parameter name: the file's name, without slashes.
    /// - Throws: ``SystemError`` with EINVAL for a name with a slash and for a file that is not regular, ELOOP or ENOTDIR for a link,
    ///   EFBIG for more than `limit` bytes.
    package static func readPlain(_ name: String, in folder: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
        let path = "\(folder)/\(name)"
        guard !name.contains("/"), name != ".", name != ".." else { throw SystemError("read", path, code: EINVAL) }
        let parent = try Descriptor.open(folder, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        let file = try Descriptor.open("/proc/self/fd/\(parent.raw)/\(name)", flags: O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        guard try file.status().st_mode & S_IFMT == S_IFREG else { throw SystemError("read", path, code: EINVAL) }
        do throws(SystemError) { return try file.readToEnd(limit: limit) } catch {
            throw SystemError("read", path, code: error.code)
        }
    }
}
