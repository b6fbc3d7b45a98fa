// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// An open folder of sysfs or procfs, whose small files are read with one call each.
///
/// The kernel resolves the path once for all files of a folder, and a read allocates nothing: a large host has some ten thousand files.
package struct FolderHandle: ~Copyable {
    private let descriptor: Int32

    /// Opens a folder.
    package init(_ path: String) throws(SystemError) {
        descriptor = try checked("open", path) { unsafe CLinux_open_folder(path) }
    }

    deinit { close(descriptor) }

    /// Reads a file once into the buffer.
    ///
    /// - Returns: the number of bytes, or the negative errno.
    package func read(_ name: String, into buffer: inout [UInt8]) -> Int {
        let size = buffer.count
        // SAFETY: the call writes at most the buffer's count, and keeps no pointer.
        return unsafe CLinux_read_at(descriptor, name, &buffer, size)
    }

    /// Reads the target of a symbolic link.
    ///
    /// - Returns: the number of bytes, or the negative errno.
    package func readTarget(_ name: String, into buffer: inout [UInt8]) -> Int {
        let size = buffer.count
        // SAFETY: as for `read`.
        return unsafe CLinux_readlink_at(descriptor, name, &buffer, size)
    }

    /// True if the folder has an entry with this name.
    package func exists(_ name: String) -> Bool { unsafe faccessat(descriptor, name, F_OK, 0) == 0 }
}
