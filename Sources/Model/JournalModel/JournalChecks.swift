// SPDX-License-Identifier: Apache-2.0

import NetworkModel
import Primitives

/// Collects violations of limits, each with its path.
struct JournalChecks {
    private(set) var problems: [JournalProblem] = []

    mutating func add(_ code: JournalProblem.Code, _ path: String, _ text: String) {
        // Bounded, so that a hostile file cannot use up memory.
        if problems.count < 100 { problems.append(JournalProblem(code: code, path: path, text: text)) }
    }

    mutating func expect(_ holds: Bool, _ code: JournalProblem.Code, _ path: String, _ text: @autoclosure () -> String) {
        if !holds { add(code, path, text()) }
    }

    mutating func count(_ count: Int?, _ limit: Int, _ path: String) {
        if let count, count > limit { add(.count, path, "has \(count) entries, more than \(limit)") }
    }

    mutating func unique(_ values: [some Hashable], _ path: String) {
        if Set(values).count != values.count { add(.duplicate, path, "has a duplicate entry") }
    }

    /// Checks a UID in the form of file names.
    mutating func uid(_ text: String, _ path: String) {
        expect(JournalNames.isUID(text), .name, path, "is not a UID")
    }

    mutating func plain(_ text: String?, _ limit: Int, _ path: String, withSlashes: Bool = false) {
        guard let text else { return }
        let isPlain = JournalNames.isPlain(text, limit) && (withSlashes || !text.utf8.contains(UInt8(ascii: "/")))
        expect(isPlain, .name, path, "is not a name of at most \(limit) bytes")
    }

    /// Checks a text for users or the kernel, which has no control characters.
    mutating func text(_ text: String?, _ limit: Int, _ path: String) {
        guard let text else { return }
        expect(
            text.utf8.count <= limit && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, .length, path,
            "is not a text of at most \(limit) bytes")
    }

    mutating func hostInterface(_ name: String, _ path: String) {
        expect(JournalNames.isHostInterface(name), .name, path, "is not a name of an interface")
    }

    mutating func hardwareAddress(_ address: HardwareAddress?, _ path: String) {
        guard let address else { return }
        expect((1...32).contains(address.bytes.count), .range, path, "is not a hardware address")
    }

    /// Checks that a routing table is not the kernel's own: RT_TABLE_UNSPEC, DEFAULT, MAIN and LOCAL (linux/rtnetlink.h).
    mutating func table(_ table: UInt32, _ path: String) {
        expect(table != 0 && !(253...255).contains(table), .range, path, "is \(table), a table of the kernel")
    }
}

/// The syntax of names.
package enum JournalNames {
    /// True for a UID that can be part of a file name.
    package static func isUID(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { $0.isASCIIAlphanumeric || $0 == UInt8(ascii: "-") }
    }

    /// True for names of the cluster's objects, pools, requests and devices: `[A-Za-z0-9._/-]`, not empty.
    package static func isPlain(_ text: String, _ limit: Int) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "/"): true
            default: byte.isASCIIAlphanumeric
            }
        }
        return (1...limit).contains(text.utf8.count) && text.utf8.allSatisfy(isPlain)
    }

    /// True for a name that dev_valid_name of the kernel accepts (net/core/dev.c), and that is not a pattern: 1 to 15 bytes without
    /// blanks, `/` and `:`.
    package static func isHostInterface(_ name: String) -> Bool {
        (1...15).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && ![UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "%")].contains($0) }
    }

    /// True for a name in a pod: at most 15 characters of a DNS label, not reserved, and not a folder of sysctl(8). As in claims, a dash
    /// can be at the end.
    package static func isPodInterface(_ name: String) -> Bool {
        guard (1...15).contains(name.utf8.count), let first = name.utf8.first else { return false }
        return first.isASCIILowercaseAlphanumeric
            && name.utf8.allSatisfy { $0.isASCIILowercaseAlphanumeric || $0 == UInt8(ascii: "-") } && !reserved.contains(name)
    }

    static let reserved: Set<String> = ["lo", "eth0", "all", "default"]

    /// True for `FAMILY/conf/NAME` and `FAMILY/neigh/NAME` with NAME of `[a-z0-9_]`.
    package static func isSysctl(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "ipv4" || parts[0] == "ipv6", parts[1] == "conf" || parts[1] == "neigh" else { return false }
        return (1...64).contains(parts[2].utf8.count)
            && parts[2].utf8.allSatisfy { $0.isASCIILowercaseAlphanumeric || $0 == UInt8(ascii: "_") }
    }
}
