// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import NetworkModel

/// A DHCP server (udhcpd of busybox) and a DHCPv6 server (dnsmasq) in a separate namespace at the other end of a node's wire. The wire
/// ends with it.
package final class LeaseServer {
    private let network: NetworkNamespace
    private let scratch: ScratchFolder
    private var daemons: [ChildProcess] = []
    private let hasV6: Bool
    private let hasUdhcpd: Bool

    private static let name = "server0"

    /// The duration of leases in seconds, udhcpd's minimum.
    package static let seconds = 16

    /// - Parameters:
    ///   - first, last: the range of addresses in 192.0.2.0/24.
    ///   - seconds: the duration of leases.
    ///   - v6: the first and last address of the DHCPv6 server in 2001:db8:5::/64, separated by a comma; nil for no DHCPv6 server.
    ///   - options: DHCP options in dnsmasq's form (`121,10.0.0.0/8,192.0.2.1`); then dnsmasq serves instead of udhcpd, with leases of
    ///     two minutes.
    package init(
        on node: TestNode, first: String, last: String, seconds: Int = LeaseServer.seconds, v6: String? = nil, options: [String]? = nil
    ) throws {
        hasV6 = v6 != nil || options != nil
        hasUdhcpd = options == nil
        scratch = try ScratchFolder("lease")
        network = try NetworkNamespace.make()
        let (destination, name) = (network, Self.name)
        try node.host.run { () throws(NetlinkError) in
            let socket = try NetlinkSocket()
            guard let end = try socket.links().first(where: { $0.kind == "veth" && $0.name != "wire0" }) else {
                throw NetlinkError("find the other end of the wire", code: ENODEV)
            }
            try socket.change(end.index, LinkChange(name: name, namespace: destination.descriptor.raw), "give it to the server")
        } entering: {
            NetlinkError("enter the namespace", $0)
        }
        for command in ["address add 192.0.2.1/24 dev \(name)", "address add 2001:db8:5::1/64 dev \(name) nodad", "link set \(name) up"] {
            _ = try ChildProcess.run("/sbin/ip", command.split(separator: " ").map(String.init), in: network)
        }
        try Files.write(scratch("leases"), "")
        try Files.write(
            scratch("conf"),
            """
            interface \(name)
            start \(first)
            end \(last)
            lease_file \(scratch("leases"))
            pidfile \(scratch("pid"))
            opt subnet 255.255.255.0
            opt router 192.0.2.1
            opt lease \(seconds)
            opt staticroutes 198.51.100.0/24 192.0.2.1, 0.0.0.0/0 192.0.2.1

            """)
        guard hasV6 else { return }
        var ranges = v6.map { ["dhcp-range=\($0),64,120"] } ?? []
        if let options { ranges += ["dhcp-range=\(first),\(last),255.255.255.0,120"] + options.map { "dhcp-option-force=\($0)" } }
        // Two minutes are dnsmasq's minimum.
        try Files.write(
            scratch("conf6"),
            """
            port=0
            interface=\(name)
            bind-interfaces
            \(ranges.joined(separator: "\n"))
            dhcp-leasefile=\(scratch("leases6"))
            dhcp-authoritative
            user=root
            pid-file=

            """)
    }

    /// Starts answering.
    package func start(afterSeconds delay: Int = 0) throws {
        if hasUdhcpd { try run("/bin/busybox udhcpd -f -a 0 \(scratch("conf"))", delay, "log") }
        if hasV6 { try startV6() }
    }

    /// Starts only the DHCPv6 server.
    package func startV6() throws {
        try run("/usr/sbin/dnsmasq --keep-in-foreground --log-facility=- --conf-file=\(scratch("conf6"))", 0, "log6")
    }

    private func run(_ command: String, _ delay: Int, _ log: String) throws {
        daemons.append(try ChildProcess("/bin/sh", ["-c", "sleep \(delay); exec \(command)"], in: network, output: scratch(log)))
    }

    package func stop() {
        for daemon in daemons { daemon.stop() }
        daemons = []
    }

    package var log: String { ["log", "log6"].map { (try? Files.readText(scratch($0))) ?? "" }.joined() }
}
