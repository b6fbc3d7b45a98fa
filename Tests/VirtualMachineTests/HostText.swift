// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import Testbed
import Testing

/// What the host looks like, and that it looks so again.
extension Room {
    /// The host's network and RDMA devices, in words.
    static func hostText() throws -> String {
        var last = ""
        _ = try eventually(seconds: 30) {
            // Devices are numbered by a counter: what was made anew has another number.
            let devices = try run("rdma dev").split(separator: "\n").map { $0.drop { $0 != ":" } }.joined(separator: "\n")
            let now = try TestNode.describe(try NetworkNamespace.current()) + devices + "\n" + run("rdma link")
            defer { last = now }
            if now == last { return true }
            usleep(200_000)
            return false
        }
        return last
    }

    static func expectUnchanged(_ before: String) throws {
        var after = ""
        // A link takes its time to come up again.
        _ = try eventually(seconds: 40) {
            after = try hostText()
            return after == before
        }
        let (old, new) = (before.split(separator: "\n"), after.split(separator: "\n"))
        #expect(after == before, "gone: \(old.filter { !new.contains($0) }); new: \(new.filter { !old.contains($0) })")
    }

    /// Up, with all that follows from it: a carrier, and an address that has been found to be nobody else's.
    static func bringUp(_ names: [String]) throws {
        for name in names { try run("ip link set \(name) up") }
        let areUp = try eventually(seconds: 30) {
            try names.allSatisfy { name in
                let text = try run("ip address show dev \(name)")
                return text.contains("state UP") && text.contains("inet6 fe80") && !text.contains("tentative")
            }
        }
        #expect(areUp)
    }

    static func bringDown(_ names: [String]) { for name in names { _ = try? run("ip link set \(name) down") } }

    /// Every namespace has to be gone first, and the kernel takes its time for that.
    static func setSharing(_ mode: String) throws {
        #expect(eventually(seconds: 30) { (try? run("rdma system set netns \(mode)")) != nil })
    }
}
