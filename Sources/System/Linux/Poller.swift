// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Waits for several descriptors at once.
package enum Poller {
    /// Returns the readable (or closed) descriptors in order; empty after the time-out.
    package static func readable(_ descriptors: [Descriptor], until deadline: Deadline?) throws(SystemError) -> [Int] {
        var entries = descriptors.map { pollfd(fd: $0.raw, events: Int16(POLLIN), revents: 0) }
        // SAFETY: the kernel fills in no more entries than the count.
        let count = unsafe poll(&entries, nfds_t(entries.count), Int32(clamping: deadline?.remaining.milliseconds ?? -1))
        if count < 0 {
            if Glibc.errno == EINTR { return [] }
            throw SystemError("poll", "\(entries.count) descriptors")
        }
        return entries.indices.filter { entries[$0].revents != 0 }
    }
}

/// SIGTERM and SIGINT as a descriptor.
package enum Termination {
    /// Blocks both signals for this thread and all threads that it starts. Must be the first call in `main`.
    package static func descriptor() throws(SystemError) -> Descriptor {
        Descriptor(owning: try checked("watch", "SIGTERM") { CLinux_termination_descriptor() })
    }
}
