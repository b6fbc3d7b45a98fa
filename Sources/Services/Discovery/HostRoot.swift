// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux

/// The root of the host's files: `/`, a host's file system mounted elsewhere, or a captured tree.
///
/// Discovery reads all files through this value, so that the same code serves all three.
package struct HostRoot: Hashable, Sendable {
    /// Without a trailing slash; empty for `/`.
    package let path: String
    /// True if the host's kernel is running, so that netlink, libibverbs and libnuma are available. A captured tree has only files.
    package let isLive: Bool

    private init(_ path: String, isLive: Bool) {
        var path = path[...]
        while path.hasSuffix("/") { path.removeLast() }
        self.path = String(path)
        self.isLive = isLive
    }

    /// This host. A container may have the host's root mounted at `path`.
    package static func live(at path: String = "/") -> HostRoot { HostRoot(path, isLive: true) }

    /// A captured or synthetic tree of files.
    package static func captured(at path: String) -> HostRoot { HostRoot(path, isLive: false) }

    /// The absolute path of a file below the root.
    package func callAsFunction(_ relative: String) -> String { "\(path)/\(relative)" }

    /// The first lines of a long file that the kernel generates while it is read.
    package func start(of relative: String) -> String? {
        guard let file = try? Descriptor.open(self(relative), flags: O_RDONLY | O_NONBLOCK), let bytes = try? file.read(atMost: 4096)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
