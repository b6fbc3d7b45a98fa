// SPDX-License-Identifier: Apache-2.0

package import Linux

/// What `ip` does not show of a host's interfaces, in words.
package enum HostText {
    /// Every setting of every interface, their offloads and their queueing disciplines, a line each.
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
        // Without counts, and in an order of its own: the kernel's is that in which interfaces came.
        let queueing = try ChildProcess.run("/sbin/tc", ["-d", "qdisc", "show"], in: namespace).output.split(separator: "\n").map { line in
            line.split(separator: " direct_packets_stat ").first ?? line
        }
        return text + queueing.sorted().joined(separator: "\n") + "\n"
    }

    /// Lines that only one of two texts has, marked with the side; empty when they are alike.
    package static func difference(_ before: String, _ after: String) -> String {
        if before == after { return "" }
        let (old, new) = (before.split(separator: "\n"), after.split(separator: "\n"))
        let lines = old.filter { !new.contains($0) }.map { "- \($0)" } + new.filter { !old.contains($0) }.map { "+ \($0)" }
        return lines.isEmpty ? "the same lines in another order" : lines.joined(separator: "\n")
    }
}
