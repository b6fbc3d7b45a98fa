// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Linux

/// A host's network as text, for comparison.
package enum HostText {
    /// The output of `ip` with sorted routes, because the kernel lists them in order of creation.
    package static func network(_ namespace: NetworkNamespace) throws -> String {
        var text = try ChildProcess.run("/sbin/ip", ["-d", "address", "show"], in: namespace).output
        for arguments in [
            ["-4", "route", "show", "table", "all"], ["-6", "route", "show", "table", "all"],
            ["neigh", "show", "nud", "permanent"], ["rule", "show"],
        ] {
            let output = try ChildProcess.run("/sbin/ip", arguments, in: namespace).output
            text += output.split(separator: "\n").sorted().joined(separator: "\n") + "\n"
        }
        // ip reads all of /run/netns, and reports namespaces of other tests' pods that end in the meantime.
        return text.replacing("Error: Peer netns reference is invalid.\n", with: "")
    }

    /// All settings of all interfaces, their offloads and queueing disciplines, one line each.
    package static func settings(_ namespace: NetworkNamespace) throws -> String {
        var interfaces: Set<String> = []
        var text = try namespace.run { () throws(SystemError) in
            var text = ""
            for family in ["ipv4", "ipv6"] {
                for kind in ["conf", "neigh"] {
                    let folder = "/proc/sys/net/\(family)/\(kind)"
                    for interface in Files.list(folder) {
                        if kind == "conf", interface != "all", interface != "default" { interfaces.insert(interface) }
                        for name in Files.list("\(folder)/\(interface)") {
                            let value = (try? Files.readText("\(folder)/\(interface)/\(name)")) ?? "-\n"
                            text += "\(family)/\(kind)/\(interface)/\(name) = \(value)"
                        }
                    }
                }
            }
            return text
        }
        for interface in interfaces.sorted() where Files.exists("/sbin/ethtool") {
            text += try ChildProcess.run("/sbin/ethtool", ["-k", interface], in: namespace).output
        }
        // Without counters, and sorted, because the kernel lists interfaces in order of their creation.
        let queueing = try ChildProcess.run("/sbin/tc", ["-d", "qdisc", "show"], in: namespace).output.split(separator: "\n").map { line in
            line.split(separator: " direct_packets_stat ").first ?? line
        }
        return text + queueing.sorted().joined(separator: "\n") + "\n"
    }

    /// A text that is stable for two reads, and in which no link waits for the kernel: effects of a carrier follow later (linkwatch, up
    /// to a second).
    package static func atRest(within seconds: Double = 5, _ text: () throws -> String) rethrows -> String {
        var last = try text()
        _ = try eventually(seconds: seconds) {
            usleep(20_000)
            let now = try text()
            defer { last = now }
            return now == last && !now.split(separator: "\n").contains(where: isPassing)
        }
        return last
    }

    private static func isPassing(_ line: Substring) -> Bool {
        line.contains(" tentative") || line.contains("LOWER_UP") && (line.contains(" state DOWN") || line.contains(" state LOWERLAYERDOWN"))
    }

    /// Returns the differences, or an empty text as soon as there are none, because the kernel applies some effects of a change later.
    package static func changes(
        since before: String, within seconds: Double = Waiting.bound, _ text: () throws -> String
    ) rethrows -> String {
        var after = ""
        let isBack = try eventually(seconds: seconds) {
            after = try text()
            return after == before
        }
        return isBack ? "" : difference(before, after)
    }

    /// Lines that only one of two texts has, marked with the side; empty if the texts are equal.
    package static func difference(_ before: String, _ after: String) -> String {
        if before == after { return "" }
        let (old, new) = (before.split(separator: "\n"), after.split(separator: "\n"))
        let lines = old.filter { !new.contains($0) }.map { "- \($0)" } + new.filter { !old.contains($0) }.map { "+ \($0)" }
        return lines.isEmpty ? "the same lines in another order" : lines.joined(separator: "\n")
    }
}
