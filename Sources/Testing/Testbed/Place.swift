// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux

/// Paths of programs for tests, and features of this machine.
package enum Place {
    /// The folder of the project: the nearest one above this file that has a manifest.
    package static let project: String = {
        var folder = #filePath[...]
        repeat {
            folder = folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]
        } while !folder.isEmpty && !Files.exists("\(folder)/Package.swift")
        return String(folder)
    }()

    /// The built programs; overridden by `NEARSIDE_PROGRAMS`.
    package static let programs = variable("NEARSIDE_PROGRAMS") ?? "\(project)/.build/release"

    /// Each containerd with its CNI plugins, unpacked by `hack/test`.
    package static let tools = "\(project)/.build-tools"

    package static let scripts = "\(project)/hack/testbed"

    /// The program of hack/testbed/seccomp.c, if it is built.
    package static let confiner: String? =
        variable("NEARSIDE_CONFINER") ?? (Files.exists("\(project)/.build/seccomp") ? "\(project)/.build/seccomp" : nil)

    package static let isRoot = geteuid() == 0
    package static let rootReason = "needs root to make network namespaces"

    /// True if namespaces and interfaces for tests can be created.
    package static let canUseNamespaces: Bool = isRoot && (try? NetworkNamespace.make()) != nil

    package static let canRunContainers =
        canUseNamespaces && ContainerdPeer.Version.allCases.allSatisfy { Files.exists("\($0.tools)/usr/bin/containerd") }
        && Files.exists("/usr/sbin/runc") && Files.exists("/bin/busybox")
    package static let containersReason = "needs root, containerd 1.7 and 2 in \(tools), runc and busybox-static"

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
