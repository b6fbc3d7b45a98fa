// SPDX-License-Identifier: Apache-2.0

import Addressing
import Hardware
import Netlink

/// Reads network interfaces: by rtnetlink from the kernel, or from the files of a captured tree.
struct NetdevReader {
    let root: HostRoot
    let nodeAddresses: [String]

    /// All interfaces but the loopback, in order of their names.
    func netdevs() throws(NetlinkError) -> [Netdev] {
        (root.isLive ? try liveNetdevs() : capturedNetdevs()).sorted { $0.name < $1.name }
    }

    /// One dump for each kind of object.
    private func liveNetdevs() throws(NetlinkError) -> [Netdev] {
        let socket = try NetlinkSocket()
        let links = try socket.links()
        let addresses = try socket.addresses()
        let uplinks = Uplinks.indices(
            links: links, addresses: addresses, routes: try socket.routes(), nodeAddresses: nodeAddresses)
        let addressesByLink = Dictionary(grouping: addresses, by: \.index)
        return links.filter { !$0.isLoopback }.map { link in
            Netdev(
                name: link.name, index: Int(link.index), mac: link.address?.description, mtu: Int(link.mtu),
                state: link.state, speed: speed(link.name), kind: link.kind,
                addresses: (addressesByLink[link.index] ?? []).filter { !$0.prefix.address.isLinkLocal }
                    .map(\.prefix.description),
                isUplink: uplinks.contains(link.index))
        }
    }

    private func capturedNetdevs() -> [Netdev] {
        // Fields: interface, destination, gateway, flags, ..., mask. Destination and mask 0: default.
        var uplinks: Set<Substring> = []
        for line in root.lines("proc/net/route").dropFirst() {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            if fields.count > 7, fields[1] == "00000000", fields[7] == "00000000" { uplinks.insert(fields[0]) }
        }
        return root.list("sys/class/net").filter { $0 != "lo" && $0 != "bonding_masters" }.map { name in
            let folder = "sys/class/net/\(name)"
            let kind = root.lines(folder + "/uevent").first { $0.hasPrefix("DEVTYPE=") }
            return Netdev(
                name: name, index: root.integer(folder + "/ifindex") ?? 0, mac: root.value(folder + "/address"),
                mtu: root.integer(folder + "/mtu"), state: root.value(folder + "/operstate"), speed: speed(name),
                kind: kind.map { String($0.dropFirst(8)) }, isUplink: uplinks.contains(name[...]))
        }
    }

    /// Mb/s; a driver that does not know says -1 or 4294967295.
    private func speed(_ name: String) -> Int? {
        root.integer("sys/class/net/\(name)/speed").flatMap { (1..<100_000_000).contains($0) ? $0 : nil }
    }
}
