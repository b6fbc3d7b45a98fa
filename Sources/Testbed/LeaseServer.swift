// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink

/// A DHCP server (udhcpd of busybox) at the other end of a node's wire, in a namespace of its own. The wire is gone with it.
package final class LeaseServer {
    private let network: NetworkNamespace
    private let scratch: ScratchFolder
    private var daemon: ChildProcess?

    private static let name = "server0"

    /// The time its leases have; udhcpd gives none that is shorter.
    package static let seconds = 16

    /// - Parameters:
    ///   - first, last: the addresses it gives out, in 192.0.2.0/24.
    package init(on node: TestNode, first: String, last: String) throws {
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
        for command in ["address add 192.0.2.1/24 dev \(name)", "link set \(name) up"] {
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
            opt lease \(Self.seconds)
            opt staticroutes 198.51.100.0/24 192.0.2.1, 0.0.0.0/0 192.0.2.1

            """)
    }

    /// From then on it answers.
    package func start(afterSeconds pause: Int = 0) throws {
        daemon = try ChildProcess(
            "/bin/sh", ["-c", "sleep \(pause); exec /bin/busybox udhcpd -f -a 0 \(scratch("conf"))"], in: network, output: scratch("log"))
    }

    package func stop() {
        daemon?.stop()
        daemon = nil
    }

    package var log: String { (try? Files.readText(scratch("log"))) ?? "" }
}
