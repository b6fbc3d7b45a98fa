// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Linux

/// Mounts a namespace at a path, like `ip netns` and container runtimes.
package func bind(_ namespace: NetworkNamespace, to path: String) throws(SystemError) {
    try Files.write(path, "")
    try checked("mount a namespace", path) {
        mount("/proc/self/fd/\(namespace.descriptor.raw)", path, "none", UInt(MS_BIND), nil)
    }
}

package func unbind(_ path: String) {
    umount2(path, Int32(MNT_DETACH))
    unlink(path)
}
