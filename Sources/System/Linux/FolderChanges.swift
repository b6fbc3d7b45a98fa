// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The entries of a folder that have changed since the last call (inotify(7)).
package final class FolderChanges {
    /// The changed entries; ``everything`` if the kernel has dropped events.
    package enum Changes: Hashable, Sendable {
        case entries(Set<String>)
        case everything
    }

    private let inotify: Descriptor
    private let path: String

    /// Becomes readable when there are changes.
    package var descriptor: Descriptor { inotify }

    /// Begins the watch. Existing entries do not count as changes.
    package init(_ path: String) throws(SystemError) {
        self.path = path
        inotify = Descriptor(owning: try checked("watch", path) { inotify_init1(Int32(O_CLOEXEC) | Int32(O_NONBLOCK)) })
        let mask =
            UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE)
            | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF)
        // SAFETY: the call stays within the size of each argument, and keeps no pointer.
        try checked("watch", path) { unsafe inotify_add_watch(inotify.raw, path, mask) }
    }

    /// Returns the changes since the last call, without waiting.
    ///
    /// - Throws: ``SystemError`` with ENOENT if the watch has ended because the folder was removed or replaced.
    package func next() throws(SystemError) -> Changes {
        var names: Set<String> = []
        while true {
            let events: [UInt8]
            do throws(SystemError) { events = try inotify.read(atMost: 1 << 14) } catch {
                if error.code == EAGAIN { return .entries(names) }
                throw error
            }
            for event in InotifyEvent.list(events) {
                if event.isEnd { throw SystemError("watch", path, code: ENOENT) }
                // The kernel's queue overflowed.
                if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { return .everything }
                names.insert(event.name)
            }
        }
    }
}

/// struct inotify_event: watch, mask, cookie, length of the name, name.
struct InotifyEvent {
    var mask: UInt32
    var name: String

    /// True if the watch has ended.
    var isEnd: Bool { mask & (UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_IGNORED)) != 0 }

    static func list(_ bytes: [UInt8]) -> [InotifyEvent] {
        var rest = bytes[...]
        var events: [InotifyEvent] = []
        while rest.count >= 16 {
            let word = { (offset: Int) in
                (0..<4).reduce(UInt32(0)) { $0 | UInt32(rest[rest.startIndex + offset + $1]) << UInt32(8 * $1) }
            }
            let length = Int(min(word(12), 4096))
            let name = rest.dropFirst(16).prefix(length).prefix { $0 != 0 }
            events.append(InotifyEvent(mask: word(4), name: String(decoding: name, as: UTF8.self)))
            rest = rest.dropFirst(16 + length)
        }
        return events
    }
}
