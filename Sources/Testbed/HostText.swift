// SPDX-License-Identifier: Apache-2.0

package import Linux

/// What `ip` does not show of a host's interfaces, in words.
package enum HostText {
    /// Every setting of every interface, and their offloads, a line each.
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
        return text
    }
}
