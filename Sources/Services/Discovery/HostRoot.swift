// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux

/// The root of the host's files: `/`, a host's file system that is mounted elsewhere, or a captured tree.
///
/// Every file that discovery reads is read through this value, so the same code serves all three.
package struct HostRoot: Hashable, Sendable {
    /// Without a final slash; empty for `/`.
    package let path: String
    /// True when the running kernel is the host's, so that netlink, libibverbs and libnuma can be used. A captured tree has only its files.
    package let isLive: Bool

    private init(_ path: String, isLive: Bool) {
        var path = path[...]
        while path.hasSuffix("/") { path.removeLast() }
        self.path = String(path)
        self.isLive = isLive
    }

    /// This host. In a container its root may be mounted at `path`.
    package static func live(at path: String = "/") -> HostRoot { HostRoot(path, isLive: true) }

    /// A tree of files that was captured or laid out.
    package static func captured(at path: String) -> HostRoot { HostRoot(path, isLive: false) }

    /// The absolute path of a file below the root.
    package func callAsFunction(_ relative: String) -> String { "\(path)/\(relative)" }

    /// The names in a folder; none when it cannot be read.
    package func list(_ relative: String) -> [String] { Files.list(self(relative)) }

    /// The lines of a file; none when it cannot be read.
    package func lines(_ relative: String) -> [Substring] {
        guard let text = try? Files.readText(self(relative)) else { return [] }
        return text.split(separator: "\n")
    }

    /// The first lines of a long file, which the kernel writes as it is read.
    package func start(of relative: String) -> String? {
        guard let file = try? Descriptor.open(self(relative), flags: O_RDONLY | O_NONBLOCK), let bytes = try? file.read(atMost: 4096)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
