// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// An open folder below which small files are read, each in one go: files of sysfs and procfs.
///
/// A path is walked once for all files of a folder, and nothing is allocated until a value is known to be
/// wanted: a large host has some ten thousand such files.
package struct FolderHandle: ~Copyable {
    private let descriptor: Int32

    /// Nil when there is no such folder, or it may not be entered.
    package init?(_ path: String) {
        descriptor = CLinux_open_folder(path)
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    /// Reads a file once into the buffer.
    ///
    /// - Returns: the number of bytes, or minus the error of opening or reading it.
    package func read(_ name: String, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        CLinux_read_at(descriptor, name, buffer.baseAddress, buffer.count)
    }

    /// What a symbolic link holds.
    ///
    /// - Returns: the number of bytes, or minus an error when it is none or not there.
    package func readTarget(_ name: String, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        CLinux_readlink_at(descriptor, name, buffer.baseAddress, buffer.count)
    }

    package func exists(_ name: String) -> Bool { faccessat(descriptor, name, F_OK, 0) == 0 }
}
