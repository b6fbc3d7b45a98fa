// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Inspection
package import Linux
import Netlink
import NetworkModel

/// Selects the cases of a hostile form. The number of a case determines its content, so that it can be reproduced.
package enum HostileCases {
    /// NEARSIDE_FUZZ=100000: the number of cases for each form.
    package static let asked = getenv("NEARSIDE_FUZZ").flatMap { Int(String(cString: $0)) }

    /// NEARSIDE_FAULTS_CASE=1700 or 1700-1763: only these cases.
    package static let wanted: ClosedRange<Int>? = {
        let numbers = getenv("NEARSIDE_FAULTS_CASE").map { String(cString: $0).split(separator: "-").compactMap { Int($0) } } ?? []
        guard let first = numbers.first, let last = numbers.last, first <= last else { return nil }
        return first...last
    }()

    package static func isWanted(_ form: String) -> Bool { getenv("NEARSIDE_FAULTS_FORM").map { String(cString: $0) == form } ?? true }

    /// - Parameter sample: default number of cases.
    package static func range(sample: Int) -> Range<Int> { wanted.map { Range($0) } ?? 0..<(asked ?? sample) }

    package static func random(_ number: Int, seed: UInt64) -> SplitMix {
        var first = SplitMix(seed: seed &+ UInt64(truncatingIfNeeded: number))
        return SplitMix(seed: first.next())
    }

    package struct Broken: Error, CustomStringConvertible {
        package var description: String
        package init(_ description: String) { self.description = description }
    }

    /// The limit of a reason in bytes, as for errors.
    package static let reasonLimit = 2048

    package static func check(_ reason: String, _ who: String) throws {
        if reason.utf8.count > reasonLimit { throw Broken("\(who) gives a reason of \(reason.utf8.count) bytes: \(reason.prefix(300))") }
        if reason.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) { throw Broken("\(who) gives a reason with control characters") }
    }

    /// Links, addresses, routes and rules of a namespace, read without starting a program.
    package static func text(_ namespace: NetworkNamespace) throws -> String {
        try namespace.run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            var lines = try socket.links().map { link in
                "\(link.index) \(link.name) \(link.flags & 0x1003) \(link.mtu) \(link.address.map { "\($0)" } ?? "") \(link.alternativeNames)"
            }
            lines += try socket.addresses().map { "\($0.index) \($0.prefix) \($0.scope)" }.sorted()
            lines += try socket.routes().map { "\($0)" }.sorted()
            lines += try socket.rules().map { "\($0)" }.sorted()
            return lines.joined(separator: "\n")
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
    }

    /// Every file below a folder, with the attributes that each write changes.
    package static func files(_ folder: String) -> String {
        var lines: [String] = []
        for name in Files.list(folder).sorted() {
            let path = "\(folder)/\(name)"
            var entry = stat()
            guard lstat(path, &entry) == 0 else { continue }
            lines.append("\(path) \(entry.st_ino) \(entry.st_mode) \(entry.st_size) \(entry.st_mtim.tv_sec).\(entry.st_mtim.tv_nsec)")
            if entry.st_mode & S_IFMT == S_IFDIR { lines.append(files(path)) }
        }
        return lines.joined(separator: "\n")
    }

    /// Truncates a log that would fill the disk after hours.
    package static func shorten(_ log: String) { truncate(log, 0) }
}
