// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A watch on the entries of a folder (inotify(7)). Ignores temporary files, whose names begin with a dot.
package struct FolderWatch: Sendable {
    /// One element for any number of changes.
    package let changes: AsyncStream<Void>

    /// Starts a thread that waits for changes. It ends with ``changes``, which also end when the folder is removed.
    package init(_ path: String) throws(SystemError) {
        let inotify = Descriptor(owning: try checked("watch", path) { inotify_init1(Int32(O_CLOEXEC)) })
        let mask = UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO) | UInt32(IN_DELETE_SELF)
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        try checked("watch", path) { unsafe inotify_add_watch(inotify.raw, path, mask) }
        let (stop, watched) = try UnixSocket.pair()
        let wakeup = Wakeup()
        changes = wakeup.signals
        try KernelThread.start { [sender = wakeup.sender] in
            while let ready = try? Poller.readable([watched, inotify], until: nil), !ready.contains(0),
                let events = try? inotify.read(), !events.isEmpty
            {
                let events = InotifyEvent.list(events)
                if events.contains(where: { !$0.name.hasPrefix(".") }) { sender.signal() }
                if events.contains(where: \.isEnd) { break }
            }
            sender.finish()
        }
        wakeup.sender.onEnd { try? UnixSocket.send([0], to: stop) }
    }
}
