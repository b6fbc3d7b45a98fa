// SPDX-License-Identifier: Apache-2.0

/// The identity of a file or a namespace, independent of its name: st_dev and st_ino of stat(2).
package struct FileIdentity: Hashable, Sendable, Codable {
    package var device: UInt64
    package var inode: UInt64

    package init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}
