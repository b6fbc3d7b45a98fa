// SPDX-License-Identifier: Apache-2.0

import Glibc
import Journal
import Linux

/// What a DHCP client starts when something happens to its lease: it writes down what it was told. `nearside-nri` itself is that program,
/// so that no shell is needed.
package enum LeaseScript {
    /// The variable that says where to write; who has it was started by a client.
    static let file = "NEARSIDE_LEASE"

    package static var isMeant: Bool { getenv(file) != nil }

    /// - Parameter word: `bound`, `renew`, `nak`, `deconfig` or `leasefail`, as udhcpc says what happened; dhclient says it by a variable.
    /// - Returns: the exit status.
    package static func run(_ word: String?) -> Int32 {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        func given(_ family: Lease.Family) -> [String] {
            (Lease.variables[family] ?? []).compactMap { name, source in variable(source).map { "\(name)=\($0)" } }
        }
        guard let path = variable(file), let event = word ?? variable("reason") else { return 2 }
        var lines: [String]
        switch event {
        case "bound", "renew": lines = given(.v4)
        case "BOUND6", "RENEW6", "REBIND6": lines = given(.v6)
        case "nak", "EXPIRE6": lines = ["lease=0"]
        // Said at every start as well, when an address that is still good may be there; one that is not, the kernel takes off.
        default: return 0
        }
        lines.append("at=\(Poller.now())")
        do throws(SystemError) {
            if event.hasSuffix("6"), let own = try? Files.read(JournalFolder.clientFile(path)) {
                try Files.replace(JournalFolder.boundClientFile(path), with: own, mode: 0o600, isDurable: false)
            }
            try Files.replace(path, with: [UInt8]((lines.joined(separator: "\n") + "\n").utf8), mode: 0o600, isDurable: false)
            return 0
        } catch {
            try? Descriptor(owning: dup(2)).write(all: [UInt8]("nearside-nri: \(error)\n".utf8))
            return 1
        }
    }
}
