// SPDX-License-Identifier: Apache-2.0

import Addressing
import Hardware
import Netlink

/// Reads network interfaces: by rtnetlink from the kernel, or from the files of a captured tree.
struct NetdevReader {
    let root: HostRoot
    let nodeAddresses: [String]

    /// All interfaces but the loopback, by name.
    func netdevs() throws(NetlinkError) -> [String: Netdev] {
        root.isLive ? try liveNetdevs() : capturedNetdevs()
    }

    /// One dump for each kind of object.
    private func liveNetdevs() throws(NetlinkError) -> [String: Netdev] {
        let socket = try NetlinkSocket()
        let links = try socket.links()
        let addresses = try socket.addresses()
        let uplinks = Uplinks.indices(
            links: links, addresses: addresses, routes: try socket.routes(), nodeAddresses: nodeAddresses)
        let addressesByLink = Dictionary(grouping: addresses, by: \.index)
        var netdevs: [String: Netdev] = [:]
        for link in links where !link.isLoopback {
            netdevs[link.name] = Netdev(
                name: link.name, index: Int(link.index), mac: link.address?.description, mtu: Int(link.mtu),
                state: link.state, speed: root.integer("sys/class/net/\(link.name)/speed").flatMap { $0 > 0 ? $0 : nil },
                kind: link.kind,
                addresses: (addressesByLink[link.index] ?? []).filter { !$0.prefix.address.isLinkLocal }
                    .map(\.prefix.description),
                isUplink: uplinks.contains(link.index))
        }
        return netdevs
    }

    private func capturedNetdevs() -> [String: Netdev] {
        // Fields: interface, destination, gateway, flags, ..., mask. Destination and mask 0: default.
        var uplinks: Set<Substring> = []
        for line in root.lines("proc/net/route").dropFirst() {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            if fields.count > 7, fields[1] == "00000000", fields[7] == "00000000" { uplinks.insert(fields[0]) }
        }
        var netdevs: [String: Netdev] = [:]
        for name in root.list("sys/class/net") where name != "lo" && name != "bonding_masters" {
            let folder = "sys/class/net/\(name)"
            let kind = root.lines(folder + "/uevent").first { $0.hasPrefix("DEVTYPE=") }
            netdevs[name] = Netdev(
                name: name, index: root.integer(folder + "/ifindex") ?? 0, mac: root.value(folder + "/address"),
                mtu: root.integer(folder + "/mtu"), state: root.value(folder + "/operstate"),
                speed: root.integer(folder + "/speed").flatMap { $0 > 0 ? $0 : nil },
                kind: kind.map { String($0.dropFirst(8)) }, isUplink: uplinks.contains(name[...]))
        }
        return netdevs
    }
}
