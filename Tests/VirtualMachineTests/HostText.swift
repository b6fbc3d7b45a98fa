// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Testbed
import Testing

/// The text of the host's state, and its comparison.
extension Room {
    /// The host's network and RDMA devices, in words.
    static func hostText() throws -> String {
        try HostText.atRest(within: 30) {
            // Devices are numbered by a counter: what was made anew has another number.
            let devices = try run("rdma dev").split(separator: "\n").map { $0.drop { $0 != ":" } }.joined(separator: "\n")
            return try HostText.network(try NetworkNamespace.current()) + devices + "\n" + run("rdma link")
        }
    }

    static func expectUnchanged(_ before: String) throws {
        // A link takes its time to come up again.
        let changes = try HostText.changes(since: before, within: 40, hostText)
        #expect(changes.isEmpty, "\(changes)")
    }

    /// Up, with all that follows from it: a carrier, and an address without a duplicate.
    static func bringUp(_ names: [String]) throws {
        for name in names { try run("ip link set \(name) up") }
        let areUp = try eventually {
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
        #expect(eventually { (try? run("rdma system set netns \(mode)")) != nil })
    }
}
