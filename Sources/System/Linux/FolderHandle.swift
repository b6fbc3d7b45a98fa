// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// An open folder below which small files are read, each with one call: files of sysfs and procfs.
///
/// The kernel walks the path once for all files of a folder, and nothing is allocated for a file: a large host has some ten thousand.
package struct FolderHandle: ~Copyable {
    private let descriptor: Int32

    /// Opens a folder; nil when there is none, or it may not be entered.
    package init?(_ path: String) {
        descriptor = unsafe CLinux_open_folder(path)
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    /// Reads a file once into the buffer.
    ///
    /// - Returns: the number of bytes, or minus the error of opening or reading it.
    package func read(_ name: String, into buffer: inout [UInt8]) -> Int {
        let size = buffer.count
        // SAFETY: the call writes no more than the buffer's count, and keeps no pointer.
        return unsafe CLinux_read_at(descriptor, name, &buffer, size)
    }

    /// Reads the target of a symbolic link.
    ///
    /// - Returns: the number of bytes, or minus the error of reading it.
    package func readTarget(_ name: String, into buffer: inout [UInt8]) -> Int {
        let size = buffer.count
        // SAFETY: as for `read`.
        return unsafe CLinux_readlink_at(descriptor, name, &buffer, size)
    }

    /// True when the folder has an entry of the name.
    package func exists(_ name: String) -> Bool { unsafe faccessat(descriptor, name, F_OK, 0) == 0 }
}
