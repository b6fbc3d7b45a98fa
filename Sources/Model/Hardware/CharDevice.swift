// SPDX-License-Identifier: Apache-2.0

/// A character device that a container needs in order to use a device.
package struct CharDevice: Hashable, Sendable, Codable {
    /// Path below the host's root: `/dev/infiniband/uverbs0`.
    package var path: String
    package var major: UInt32
    package var minor: UInt32

    package init(path: String, major: UInt32, minor: UInt32) {
        self.path = path
        self.major = major
        self.minor = minor
    }

    /// Last component of the path: `uverbs0`.
    package var name: String { path.split(separator: "/").last.map(String.init) ?? path }
}
