// SPDX-License-Identifier: Apache-2.0

import Addressing
import Hardware
import Netlink

/// Reads network interfaces: by rtnetlink from the kernel, or from the files of a captured tree.
struct NetdevReader {
    let root: HostRoot
    let nodeAddresses: [String]

    /// All interfaces but the loopback in order of their names, by the PCI function they belong to.
    func netdevs(of functions: [PCIFunction]) throws(NetlinkError) -> [PCIAddress?: [Netdev]] {
        if root.isLive {
            let netdevs = try liveNetdevs().sorted { $0.name < $1.name }
            return Dictionary(grouping: netdevs) { root.owner(of: "sys/class/net/\($0.name)") }
        }
        let entries = root.devices(ofClass: "net", functions: functions)
            .filter { $0.name != "lo" && $0.name != "bonding_masters" }
        let uplinks = capturedUplinks()
        return Dictionary(grouping: entries, by: \.owner).mapValues { entries in
            entries.map { capturedNetdev($0, isUplink: uplinks.contains($0.name)) }
        }
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
                state: link.state, speed: speed("sys/class/net/\(link.name)"), kind: link.kind,
                addresses: (addressesByLink[link.index] ?? []).filter { !$0.prefix.address.isLinkLocal }
                    .map(\.prefix.description),
                isUplink: uplinks.contains(link.index))
        }
    }

    /// Interfaces with a default route, by the lines of `/proc/net/route`: interface, destination, gateway,
    /// flags, ..., mask.
    private func capturedUplinks() -> Set<String> {
        var uplinks: Set<String> = []
        for line in root.lines("proc/net/route").dropFirst() {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            if fields.count > 7, fields[1] == "00000000", fields[7] == "00000000" { uplinks.insert(String(fields[0])) }
        }
        return uplinks
    }

    private func capturedNetdev(_ entry: ClassDevice, isUplink: Bool) -> Netdev {
        let folder = entry.folder
        let kind = root.lines(folder + "/uevent").first { $0.hasPrefix("DEVTYPE=") }
        return Netdev(
            name: entry.name, index: root.integer(folder + "/ifindex") ?? 0, mac: root.value(folder + "/address"),
            mtu: root.integer(folder + "/mtu"), state: root.value(folder + "/operstate"), speed: speed(folder),
            kind: kind.map { String($0.dropFirst(8)) }, isUplink: isUplink)
    }

    /// Mb/s; a driver that does not know says -1 or 4294967295.
    private func speed(_ folder: String) -> Int? {
        root.integer(folder + "/speed").flatMap { (1..<100_000_000).contains($0) ? $0 : nil }
    }
}
