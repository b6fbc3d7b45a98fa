// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Testbed
import Testing

/// The host's state as text, and its comparison.
extension Room {
    /// The host's network and RDMA devices as text.
    static func hostText() throws -> String {
        try HostText.atRest(within: 30) {
            // Devices are numbered by a counter: recreated devices have other numbers.
            let devices = try run("rdma dev").split(separator: "\n").map { $0.drop { $0 != ":" } }.joined(separator: "\n")
            return try HostText.network(try NetworkNamespace.current()) + devices + "\n" + run("rdma link")
        }
    }

    static func expectUnchanged(_ before: String) throws {
        // A link needs time to come up again.
        let changes = try HostText.changes(since: before, within: 40, hostText)
        #expect(changes.isEmpty, "\(changes)")
    }

    /// Up with all effects: a carrier, and an address after duplicate address detection.
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

    /// All namespaces have to end first, which the kernel does asynchronously.
    static func setSharing(_ mode: String) throws {
        #expect(eventually { (try? run("rdma system set netns \(mode)")) != nil })
    }
}
